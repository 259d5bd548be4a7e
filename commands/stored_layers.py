"""The layers that a recipe reads, against those that a store holds; without torch."""

from pathlib import Path

from ..common.errors import StoreError, TeacherError
from ..models.layers import EMBEDDINGS, negative, resolve_layers
from ..store.format.schema import LayerRecord, Manifest
from ..train.recipe import Recipe


def layers_of(recipe: Recipe, blocks: int, manifest: Manifest | None) -> tuple[LayerRecord, ...]:
    """The layers of a recipe in a teacher of so many blocks.

    Args:
        recipe: its numbers are those of `--layers`.
        blocks: of the teacher.
        manifest: of the store, for the message; None without one.

    Raises:
        TeacherError: the teacher lacks one; says which the store holds.
    """
    try:
        return resolve_layers(recipe.layers, blocks)
    except TeacherError as error:
        stored = "" if manifest is None else f"; the store holds {stored_layers(manifest)}"
        raise TeacherError(
            f"{recipe.name} of the catalogue reads the layers {','.join(map(str, recipe.layers))} "
            f"({error}){stored}; give --layers"
        ) from None


def check_layers(
    recipe: Recipe,
    layers: tuple[LayerRecord, ...],
    manifest: Manifest,
    path: Path | str,
    *,
    embedded: bool,
) -> None:
    """Refuse a recipe that reads what a store does not hold.

    Args:
        recipe: what is to be trained.
        layers: its layers, as `layers_of` gives them.
        manifest: of the store.
        path: of the store, for the message.
        embedded: whether embeddings need not be stored, because the reasoner has them.

    Raises:
        StoreError: names the layer both ways, and those there are.
    """
    stored = {layer.blocks_completed for layer in manifest.layers}
    for layer in layers:
        if layer.blocks_completed in stored or embedded and layer == EMBEDDINGS:
            continue
        raise StoreError(
            f"{path}: no layer after {layer.blocks_completed} blocks here "
            f"({negative(layer, manifest.teacher.blocks)}), only after "
            f"{', '.join(map(str, sorted(stored)))}; extract with --layers "
            f"{','.join(map(str, recipe.layers))} into another --run, or train with --layers "
            f"{stored_layers(manifest)}"
        )


def stored_layers(manifest: Manifest) -> str:
    """The layers of a store as `--layers` names them, the last first, such as `-6,-18,-30`."""
    numbers = [negative(layer, manifest.teacher.blocks) for layer in manifest.layers]
    return ",".join(map(str, reversed(numbers)))
