"""Resume from the last checkpoint of the same trial, and save one."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..common import atomic
from ..common.errors import CheckpointError
from ..compressor.model import ModelSpec
from . import checkpoint
from .record import TrialRecord
from .run import Run

CHECKPOINT = "checkpoint"
"""Folder of a trial."""


@dataclass(slots=True)
class Position:
    """How far a training is."""

    step: int = 0
    """Optimiser steps done, skipped ones included."""
    seconds: float = 0.0
    """Of training behind it, over all sessions."""
    skipped: int = 0
    """Steps whose gradient was not finite."""
    skipped_in_a_row: int = 0
    """Of these, the last ones without a finite one between."""


def resume(run: Run, optimizers: Sequence[torch.optim.Optimizer]) -> Position:
    """Restore the last checkpoint of this trial, if there is one.

    Raises:
        CheckpointError: the checkpoint belongs to another trial; names the field and both values.
    """
    root = run.folder / CHECKPOINT
    if run.accelerator.is_main_process:
        atomic.remove_partials(run.folder)
    if not checkpoint.exists(root):
        return Position()
    last = checkpoint.open_checkpoint(root)
    _check_same(last.state, run)
    last.restore(run.model, optimizers)
    if run.accelerator.is_main_process:
        checkpoint.drop_others(last.folder)
    return Position(last.state.step, last.state.seconds, last.state.skipped_steps)


def save(
    run: Run, optimizers: Sequence[torch.optim.Optimizer], at: Position, *, finished: bool
) -> None:
    """Write a checkpoint of this position; every process waits until it is there."""
    if run.accelerator.is_main_process:
        checkpoint.save_checkpoint(
            run.folder / CHECKPOINT,
            at.step,
            run.model,
            optimizers,
            run.record,
            # With a budget of steps the bytes do not depend on how long it took.
            seconds=0.0 if run.recipe.budget.seconds is None else at.seconds,
            finished=finished,
            skipped_steps=at.skipped,
        )
    run.accelerator.wait_for_everyone()


def _check_same(state: checkpoint.CheckpointState, run: Run) -> None:
    dtype = state.trial and state.trial.dtype
    spec = state.spec.model_dump(mode="json")
    theirs = {"dtype": dtype, "model": spec, **_comparable(state.trial)}
    spec = _as_recorded(run.model.spec, state.spec).model_dump(mode="json")
    ours = {"dtype": run.record.dtype, "model": spec, **_comparable(run.record)}
    for key in ours:
        if difference := _difference(key, theirs.get(key), ours[key]):
            raise CheckpointError(
                f"{run.folder / CHECKPOINT} belongs to another trial: {difference}; "
                "give another --name or --run, or --restart to begin again"
            )


def _as_recorded(ours: ModelSpec, recorded: ModelSpec) -> ModelSpec:
    """The same, without what a checkpoint of an earlier version did not know of its models."""
    return ours.model_copy(
        update={
            "teacher": ours.teacher.as_recorded(recorded.teacher),
            "reasoner": ours.reasoner.as_recorded(recorded.reasoner),
        }
    )


def _comparable(record: TrialRecord | None) -> dict[str, object]:
    """What must agree between two sessions of one trial.

    Not `skipped`: a verdict that came since does not make it another trial.
    """
    if record is None:
        return {}
    return record.model_dump(mode="json", exclude={"skipped", "overrides"})


def _difference(name: str, theirs: object, ours: object) -> str | None:
    """The first field that differs, with both values; None where all agree."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        fields = (_difference(f"{name}.{k}", theirs.get(k), v) for k, v in ours.items())
        return next((field for field in fields if field), None) or _gone(name, theirs, ours)
    return None if theirs == ours else f"{name} was {_short(theirs)}, now {_short(ours)}"


def _gone(name: str, theirs: dict[str, object], ours: dict[str, object]) -> str | None:
    gone = sorted(theirs.keys() - ours.keys())
    return f"{name}.{gone[0]} was {_short(theirs[gone[0]])}, now nothing" if gone else None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:157]}..."
