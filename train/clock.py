"""How much of its budget a run has used, counted in steps or in wall-clock seconds."""

import time
from typing import Final, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from .recipe import Budget

BROADCAST_EVERY: Final = 8
"""Steps between two readings of the wall clock, each broadcast to all processes."""


class Clock(Protocol):
    """Measures the progress of a run."""

    def progress(self, step: int) -> float:
        """Fraction of the budget used before `step`; the run ends at 1.

        The same in every process.
        """
        ...


class StepClock:
    """Counts steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def progress(self, step: int) -> float:
        """Steps done / steps planned."""
        return step / self._steps


class WallClock:
    """Reads the clock of the first process and broadcasts it to the others."""

    def __init__(self, seconds: float, accelerator: Accelerator, spent: float = 0.0) -> None:
        """A budget of `seconds`, of which earlier sessions of the run used `spent`."""
        self._seconds, self._accelerator = seconds, accelerator
        self._started = time.monotonic() - spent
        self._progress = spent / seconds

    def progress(self, step: int) -> float:
        """Seconds elapsed / seconds planned, as of the last broadcast."""
        if step % BROADCAST_EVERY == 0:
            elapsed = (time.monotonic() - self._started) / self._seconds
            shared = torch.tensor(elapsed, device=self._accelerator.device)
            self._progress = float(broadcast(shared))
        return self._progress


def clock_of(budget: Budget, accelerator: Accelerator, spent: float = 0.0) -> Clock:
    """The clock of a budget, after sessions that took `spent` seconds."""
    if budget.steps is not None:
        return StepClock(budget.steps)
    assert budget.seconds is not None
    return WallClock(budget.seconds, accelerator, spent)
