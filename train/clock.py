"""How much of its budget a run has used: by steps, or by the clock on the wall."""

import time
from typing import Final, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from .plan import TrainPlan

LOOK_EVERY: Final = 8
"""Steps between two looks at the wall clock, which the processes have to agree on."""


class Clock(Protocol):
    """Tells how far a run is."""

    def progress(self, step: int) -> float:
        """Share of the budget used up before `step`; the run ends at 1. The same in every
        process."""
        ...


class StepClock:
    """Counts steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def progress(self, step: int) -> float:
        """Steps done / steps planned."""
        return step / self._steps


class WallClock:
    """Reads the clock of the first process and tells the others."""

    def __init__(self, seconds: float, accelerator: Accelerator, spent: float = 0.0) -> None:
        """A budget of `seconds`, of which earlier sessions of the run have `spent` some."""
        self._seconds, self._accelerator = seconds, accelerator
        self._started = time.monotonic() - spent
        self._progress = spent / seconds

    def progress(self, step: int) -> float:
        """Seconds gone / seconds planned, as of the last look."""
        if step % LOOK_EVERY == 0:
            gone = (time.monotonic() - self._started) / self._seconds
            told = torch.tensor(gone, device=self._accelerator.device)
            self._progress = float(broadcast(told))
        return self._progress


def clock_of(plan: TrainPlan, accelerator: Accelerator, spent: float = 0.0) -> Clock:
    """The clock that a plan asks for, after sessions that took `spent` seconds."""
    if plan.steps is not None:
        return StepClock(plan.steps)
    assert plan.seconds is not None
    return WallClock(plan.seconds, accelerator, spent)
