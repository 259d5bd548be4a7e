"""What a phase has shown: the record of a verdict, with everything that it rests on."""

from typing import Literal

from ..common.record import Record
from ..evaluate.measures import Measure, StrictMeasure
from ..evaluate.stats import Interval

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


class SiblingOutcome(Record):
    """How a criterion came out that stands beside a gate and decides nothing (siblings.py)."""

    measure: StrictMeasure
    """What was compared."""
    bound: Literal["low", "high"]
    """Which end of the interval."""
    threshold: float
    """Against what."""
    interval: Interval | None
    """None where the measure was not taken."""
    status: Status


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
    """Phases that lacked a verdict that counts when the weights were trained, or those before."""
    seed: int | None = None
    """Seed of the held-out documents."""
    corpus_sha256: str | None = None
    """Of the held-out documents."""
    ratio: float | None = None
    """Nominal tokens per latent."""
    checkpoint_sha256: str | None = None
    """Of the weights that were judged, of several trials together: it is on these alone."""
    checkpoints: dict[str, str] = {}
    """Trial (`phase-2/seed-0`) -> SHA-256 of its weights, those of the reference included."""
    evaluations: dict[str, str] = {}
    """Folder of an evaluation in the run -> SHA-256 of its answers."""
    gate_sha256: str | None = None
    """Of the gate that judged; None in records of versions before 0.2."""
    teacher_sha256: str | None = None
    """Weights of the teacher whose states were compressed."""
    size: str | None = None
    """Size of the trainings (experiment/sizes.py); None where they were none of these."""
    steps: int | None = None
    """Optimiser steps behind them, of the shortest trial."""
    finished: bool | None = None
    """Whether every training was the phase's own, whole; None in records of earlier versions."""
    counts: bool = True
    """Whether it was made on all that the plan asks for: enough documents, questions and seeds,
    the ratio, every required arm, whole trainings. Others use up no extension and no attempt."""
    thin: bool = False
    """Whether it rests on less than that, and so satisfies no order: the phase was passed by
    rather than judged."""
    number: int = 1
    """Which of the evaluations of this phase in this run it is; repeats are not counted."""
    siblings: tuple[SiblingOutcome, ...] = ()
    """Criteria beside the gate; empty in records of earlier versions."""
    made: str | None = None
    """When, UTC."""
