"""What a phase has shown: the record of a verdict, with everything that it rests on."""

from typing import Literal

from ..common.record import Record
from .measures import Measure
from .stats import Interval

Status = Literal["passed", "failed", "inconclusive"]


class CriterionOutcome(Record):
    """How one criterion came out."""

    measure: Measure
    """What was compared."""
    bound: Literal["low", "high"]
    """Which end of the interval."""
    threshold: float
    """Against what."""
    interval: Interval | None
    """None where the measure was not taken."""
    status: Status
    """Of this criterion alone, whatever the minima say."""


class Verdict(Record):
    """What a phase has shown, with the numbers it rests on."""

    phase: int
    """1 .. 8."""
    status: Status
    """The verdict."""
    n: int
    """Questions."""
    documents: int
    """Documents: the independent units."""
    seeds: tuple[int, ...]
    """Training seeds."""
    interval: Interval | None
    """Of the criterion that decided, else of the headline."""
    threshold: float
    """Of the same criterion."""
    reason: str
    """One sentence in words."""
    criteria: tuple[CriterionOutcome, ...]
    """Every criterion of the phase."""
    skipped: tuple[int, ...] = ()
    """Phases that were skipped by flag before this one."""
    seed: int | None = None
    """Seed of the held-out documents."""
    corpus_sha256: str | None = None
    """Of the held-out documents."""
    ratio: float | None = None
    """Nominal tokens per latent."""
    checkpoint_sha256: str | None = None
    """Of the weights that were judged: the verdict is on these and on no others."""
    steps: int | None = None
    """Optimiser steps behind them."""
    finished: bool | None = None
    """Whether the budget of their training was used up; None in records of earlier versions."""
    counts: bool = True
    """Whether it was made on all that the plan asks for: enough documents, questions and seeds,
    the ratio, every required arm, a finished training. Others use up no extension and no
    attempt."""
    thin: bool = False
    """Whether the phase is named as skipped in what follows: too few documents, another ratio
    than the phase's, or a training that was not finished."""
    number: int = 1
    """Which of the evaluations of this phase in this run it is; repeats are not counted."""
