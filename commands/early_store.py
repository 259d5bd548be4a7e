"""The store that a recipe is to be trained from, looked at before torch is imported."""

from pathlib import Path

from ..common.errors import StoreError, UsageError
from ..common.terminal import run_option
from ..experiment.present_run import require_run
from ..store.format.files import MANIFEST, is_store
from ..store.format.ledger import read_sealed
from ..store.format.schema import Manifest
from ..store.places.open import place_of
from ..train.recipe import Recipe
from .stored_layers import check_layers, layers_of


def check_store(recipe: Recipe, run: Path) -> None:
    """Refuse a run without a store, or with one that lacks a layer of the recipe.

    Raises:
        UsageError: there is no such run folder.
        StoreError: there is no store, its manifest is damaged, or a layer is not in it.
        TeacherError: its teacher has no such layer.
    """
    if recipe.data.source != "store":
        return
    require_run(run)
    place = place_of(run / "store")
    if not is_store(place):
        step = f"`latentcomp extract{run_option(run)}`"
        raise StoreError(f"{place}: no feature store here; write one with {step}")
    manifest = read_sealed(place, MANIFEST, Manifest)
    layers = layers_of(recipe, manifest.teacher.blocks, manifest)
    # Whether the reasoner has the embeddings is known with the reasoner.
    check_layers(recipe, layers, manifest, place.path, embedded=True)


def check_source(
    recipe: Recipe, run: Path, *, teacher: str | None, resident: bool, workers: int | None
) -> None:
    """Refuse options that say something of a store, or of live documents, to the other one.

    Args:
        recipe: whose batches they are.
        run: the run folder.
        teacher: as it was named; None if it was not.
        resident: whether states are kept on the device.
        workers: processes that read the store; None where nothing was said.

    Raises:
        UsageError: names the option.
    """
    live = recipe.data.source == "live"
    if live and resident:
        raise UsageError("--live and --resident exclude each other: live documents have no store")
    if live and workers is not None:
        raise UsageError(
            f"--workers {workers}: these processes read a store, and live documents have "
            "none; leave --workers out"
        )
    if not live and teacher is not None:
        raise UsageError(
            f"--teacher {teacher}: the states come from {run / 'store'}, "
            "whose teacher has read already; leave --teacher out, or give --live"
        )
