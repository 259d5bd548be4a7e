"""Latents that a training regresses to, from the file that was named; refused where they differ."""

from pathlib import Path

from ..common.errors import RecipeError, UsageError
from ..models.loading import CausalLM
from ..reasoner.optimised import OptimisedRecord, read_optimised
from ..store.read.reader import FeatureStore
from ..train.objectives import OBJECTIVES
from ..train.recipe import Recipe
from ..train.targets import Targets


def targets_of(
    path: Path | None, recipe: Recipe, reasoner: CausalLM, store: FeatureStore | None
) -> Targets | None:
    """The targets of a training; None where no objective compares with any.

    Raises:
        UsageError: targets without an objective that uses them, or with live documents.
        RecipeError: an objective without targets, or with those of another reasoner, corpus, ratio
            or kind of positions.
    """
    using = [name for name in recipe.objectives if OBJECTIVES[name].needs_targets]
    if path is None:
        if using:
            raise RecipeError(
                f"objectives.{using[0]} compares with latents optimised per document; give "
                "--targets FILE, as `latentcomp ceiling --save-latents FILE` writes it"
            )
        return None
    if not using:
        raise UsageError(
            f"--targets {path}: no objective of {recipe.name} uses them; give "
            "--set objectives.regression=1 too, or leave them out"
        )
    if store is None:
        raise UsageError(f"--targets {path}: live documents are new in every step and have none")
    optimised = read_optimised(path)
    _check(path, optimised.record, recipe, reasoner, store)
    if not optimised.latents.keys() & set(store.document_ids):
        raise RecipeError(f"--targets {path}: none of its documents is in {store.path}")
    return Targets(optimised)


def _check(
    path: Path,
    record: OptimisedRecord,
    recipe: Recipe,
    reasoner: CausalLM,
    store: FeatureStore,
) -> None:
    """Refuses targets that are not of this training; says of what they are."""
    pairs = {
        "reasoner": (record.reasoner.weights_sha256, reasoner.identity.weights_sha256),
        "corpus": (record.corpus_sha256, store.manifest.corpus_sha256),
        "ratios": ((record.ratio,), recipe.ratios),
        "positions": (record.positions, recipe.model.positions),
    }
    for name, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise RecipeError(
                f"--targets {path}: of another training: {name} {_short(theirs)}, here "
                f"{_short(ours)}; write them again with `latentcomp ceiling` for this one"
            )


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:12]}..." if len(text) > 40 else text
