"""Whether figures may be judged: whose weights, which documents, and a whole training."""

from collections.abc import Iterable

from ..evaluate.held_out import Source
from ..train.checkpoint import CheckpointState
from ..train.recipe import Recipe
from ..train.record import TrialRecord
from .sizes import SIZES, size_of

_AMOUNT = ("data.", "optimiser.", "budget.")
"""Fields of a recipe that say how much and how fast; the others say what."""


def why_unjudged(
    record: TrialRecord,
    catalogue: Recipe,
    source: Source | None,
    lineage_doubt: str,
    steps: int | None = None,
) -> str:
    """Why figures of a trial get no verdict; empty if they may.

    Args:
        record: of the trial.
        catalogue: the recipe that is judged, as the phase or the grid has it.
        source: of the documents.
        lineage_doubt: why the training documents are not known to be disjoint; empty if they are.
        steps: beginnings of each document that the phase is measured on; None: whole ones.
    """
    if source is None:
        return "the documents are not recorded"
    if source.path is not None or source.split != "test":
        return "the documents were given, and are not generated ones of the test split"
    if source.steps != steps:
        return (
            f"it was measured on {_read_as(source.steps)}, and the phase asks for {_read_as(steps)}"
        )
    other = other_than(record, catalogue)
    if other:
        was, is_ = record.recipe.differences(catalogue)[other[0]]
        return (
            f"the recipe differs from {catalogue.name} of the catalogue: {other[0]} is {was}, "
            f"there {is_}"
        )
    return lineage_doubt


def _read_as(steps: int | None) -> str:
    return "whole documents" if steps is None else f"{steps} beginnings of each document"


def not_exact(scorer: str) -> str:
    """Why figures by another scorer get no verdict."""
    return f"right answers were counted by the scorer {scorer!r}; gates ask for exact match"


def other_than(record: TrialRecord, catalogue: Recipe) -> list[str]:
    """Fields that say what is trained, and in which a trial is not the catalogue's recipe."""
    fields = record.recipe.differences(catalogue)
    return [field for field in fields if not field.startswith(_AMOUNT)]


def below_budget(states: Iterable[CheckpointState], catalogue: Iterable[Recipe]) -> str:
    """Why a training was not the catalogue's own, whole; empty if every one was.

    Args:
        states: of the checkpoints that were measured.
        catalogue: the recipe of each.
    """
    for state, recipe in zip(states, catalogue, strict=True):
        if reason := _below(state, recipe):
            return f"{recipe.name}, seed {state.known_trial.seed}: {reason}"
    return ""


def is_finished(state: CheckpointState) -> bool:
    """Whether the budget was used up; of earlier versions, whether it is certain."""
    if state.finished is not None:
        return state.finished
    steps = state.known_trial.recipe.budget.steps
    return steps is not None and state.step >= steps


def _below(state: CheckpointState, recipe: Recipe) -> str:
    record = state.known_trial
    if not is_finished(state):
        why = (
            f", {state.skipped_steps} of them without a finite gradient"
            if state.skipped_steps
            else ""
        )
        return f"the training had not used its budget at step {state.step}{why}"
    if record.start is not None and record.start.origin != "fresh":
        return "the training went on from other weights, beyond the budget of the phase"
    if (world := record.data.get("world", 1)) != 1:
        return f"{world} processes trained it, each with a batch of the size: another budget"
    size = size_of(record.recipe, recipe)
    if size is None:
        sizes = ", ".join(f"{each.name} {each.of(recipe).budget}" for each in SIZES.values())
        return (
            f"trained for {record.recipe.budget} at no size of the catalogue ({sizes}); "
            "train with --size, and without other changes of data, optimiser or budget"
        )
    if not size.gated:
        return f"trained at the size {size.name}, on which no verdict rests"
    return ""
