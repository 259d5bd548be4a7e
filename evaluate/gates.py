"""The gates of docs/experiment_plan.md: thresholds as data, verdicts as pure functions.

This is the only place where a threshold stands in code; a test compares it with the plan. A gate is
never loosened: where one proves badly chosen, a sibling is added and both are reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .arms.table import REQUIRED_ARMS
from .measures import SHUFFLED_MARGIN as SHUFFLED_MARGIN
from .measures import TIME_FAMILIES as TIME_FAMILIES
from .measures import Measure as Measure
from .measures import Measurement as Measurement
from .measures import shuffled_at_floor as shuffled_at_floor
from .stats import Interval
from .verdict import CriterionOutcome
from .verdict import Status as Status
from .verdict import Verdict as Verdict

HEADROOM = 0.30
"""ceiling - floor must lie above this, else there is no room to measure retention in."""
MIN_RATIO = 3.9
"""Tokens per latent of a gated figure; under 4, because the number of latents is rounded up."""
EXTENSION = 4
"""An inconclusive evaluation is extended once, to this many times the documents."""
ATTEMPTS = 3
"""Attempts after which a failed phase is closed."""


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least evidence on which a verdict may rest."""

    documents: int
    """Held-out documents."""
    questions: int
    """Questions about them."""
    seeds: int
    """Training seeds."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One end of one interval against one threshold."""

    measure: Measure
    """What is compared."""
    bound: Literal["low", "high"]
    """`low`: passes when the lower end is above the threshold; `high`: the upper end below it."""
    threshold: float
    """In units of the measure (a share)."""

    def judge(self, interval: Interval) -> Status:
        """Passed, failed, or inconclusive when the interval holds the threshold or is undefined."""
        if not interval.defined:
            return "inconclusive"
        above, below = interval.low > self.threshold, interval.high < self.threshold
        passed, failed = (above, below) if self.bound == "low" else (below, above)
        return "passed" if passed else "failed" if failed else "inconclusive"

    def on_passing_side(self, point: float) -> bool:
        """Whether a single figure lies where the interval has to lie."""
        return point > self.threshold if self.bound == "low" else point < self.threshold

    def __str__(self) -> str:
        """As in the plan: `retention low > 0.40`."""
        return f"{self.measure} {self.condition}"

    @property
    def condition(self) -> str:
        """The comparison alone: `low > 0.40`."""
        return f"{self.bound} {'>' if self.bound == 'low' else '<'} {self.threshold:.2f}"


@dataclass(frozen=True, slots=True)
class Gate:
    """What a phase has to show: every criterion, on enough evidence."""

    phase: int
    """1 .. 8."""
    criteria: tuple[Criterion, ...]
    """All of them have to pass; the first is the headline."""
    minimum: Minimum
    """Below this, the verdict is inconclusive."""
    aim: float | None = None
    """Retention that the phase aims at: reported, and not gated."""


EXISTENCE = Minimum(documents=200, questions=1500, seeds=1)
"""For a claim about one named checkpoint."""
COMPARISON = Minimum(documents=400, questions=3000, seeds=3)
"""For a claim that one recipe is better than another."""

_READ = Criterion("compressed_minus_shuffled", "low", 0.05)

GATES: tuple[Gate, ...] = (
    Gate(1, (Criterion("retention", "low", 0.10), _READ), EXISTENCE),
    Gate(2, (Criterion("retention_gain", "low", 0.03),), COMPARISON),
    Gate(
        3,
        (Criterion("time_gain", "low", 0.05), Criterion("stale_rise", "high", 0.02)),
        COMPARISON,
    ),
    Gate(4, (Criterion("retention", "low", 0.40), _READ), EXISTENCE, aim=0.70),
    Gate(5, (Criterion("retention_gain", "low", 0.05),), COMPARISON),
    Gate(
        6,
        (Criterion("retention_gain", "low", -0.10), Criterion("stale_rate", "high", 0.10)),
        COMPARISON,
    ),
    Gate(7, (Criterion("largest_ablation_drop", "low", 0.05),), COMPARISON),
    Gate(8, (Criterion("retention", "low", 0.25), _READ), EXISTENCE),
)


def gate_of(phase: int) -> Gate:
    """The gate of a phase.

    Raises:
        ValueError: there is no such phase.
    """
    for gate in GATES:
        if gate.phase == phase:
            return gate
    raise ValueError(f"phase {phase} has no gate; phases are {[gate.phase for gate in GATES]}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict looks at."""

    documents: int
    """Held-out documents."""
    questions: int
    """Questions about them."""
    seeds: tuple[int, ...]
    """Training seeds."""
    tokens_per_latent: float
    """Measured ratio of the gated arm."""
    measures: Mapping[Measure, Measurement]
    """What was taken; a missing measure makes its criterion inconclusive."""
    arms: tuple[str, ...]
    """What the reasoner was given; every verdict rests on `REQUIRED_ARMS`."""
    seed: int | None = None
    """Seed of the held-out documents."""
    corpus_sha256: str | None = None
    """Of the held-out documents."""
    ratio: float | None = None
    """Nominal tokens per latent."""
    phase_ratio: float | None = None
    """The phase's own; None where it is not known."""
    checkpoint_sha256: str | None = None
    """Of the weights."""
    steps: int | None = None
    """Optimiser steps behind them."""
    finished: bool = True
    """Whether the budget of the training was used up."""


def judge(phase: int, evidence: Evidence, *, skipped: Sequence[int] = ()) -> Verdict:
    """The verdict on a phase: a pure function of recorded numbers.

    Raises:
        ValueError: there is no such phase.
    """
    gate = gate_of(phase)
    outcomes = tuple(_outcome(criterion, evidence) for criterion in gate.criteria)
    shortfall = _shortfall(gate, evidence)
    obstacle = shortfall or _instrument_fault(evidence)
    status, index = _combine(outcomes)
    if obstacle:
        status = "inconclusive"
    deciding = outcomes[index]
    return Verdict(
        phase=phase,
        status=status,
        n=evidence.questions,
        documents=evidence.documents,
        seeds=evidence.seeds,
        interval=deciding.interval,
        threshold=deciding.threshold,
        reason=obstacle or _reason(gate.criteria[index], deciding),
        criteria=outcomes,
        skipped=tuple(skipped),
        seed=evidence.seed,
        corpus_sha256=evidence.corpus_sha256,
        ratio=evidence.ratio,
        checkpoint_sha256=evidence.checkpoint_sha256,
        steps=evidence.steps,
        finished=evidence.finished,
        counts=not shortfall,
        thin=_thin(gate, evidence),
    )


def _outcome(criterion: Criterion, evidence: Evidence) -> CriterionOutcome:
    taken = evidence.measures.get(criterion.measure)
    status: Status = criterion.judge(taken.interval) if taken else "inconclusive"
    if taken and status == "passed" and not all(map(criterion.on_passing_side, taken.by_seed)):
        status = "inconclusive"
    return CriterionOutcome(
        measure=criterion.measure,
        bound=criterion.bound,
        threshold=criterion.threshold,
        interval=taken.interval if taken else None,
        status=status,
    )


def _combine(outcomes: Sequence[CriterionOutcome]) -> tuple[Status, int]:
    """Status of the phase and the criterion that decided it."""
    for status in ("failed", "inconclusive"):
        for index, outcome in enumerate(outcomes):
            if outcome.status == status:
                return outcome.status, index
    return "passed", 0


def _thin(gate: Gate, evidence: Evidence) -> bool:
    """Whether so little was looked at that the phase was rather passed by than judged."""
    few = evidence.documents < gate.minimum.documents
    return few or _at_another_ratio(evidence) or not evidence.finished


def _at_another_ratio(evidence: Evidence) -> bool:
    return evidence.phase_ratio is not None and evidence.ratio != evidence.phase_ratio


def _shortfall(gate: Gate, evidence: Evidence) -> str:
    """What the plan asks for and the evidence lacks, whatever was measured; empty if nothing."""
    least = gate.minimum
    for name, found, wanted in (
        ("documents", evidence.documents, least.documents),
        ("questions", evidence.questions, least.questions),
        ("training seeds", len(set(evidence.seeds)), least.seeds),
    ):
        if found < wanted:
            return f"{found} {name}, the plan asks for at least {wanted}"
    if not evidence.tokens_per_latent >= MIN_RATIO:
        return (
            f"{evidence.tokens_per_latent:.2f} tokens per latent, "
            f"the plan asks for at least {MIN_RATIO}"
        )
    if _at_another_ratio(evidence):
        return (
            f"measured at {evidence.ratio:g}x, which is reported and never gated; the phase is "
            f"judged at {evidence.phase_ratio:g}x"
        )
    if absent := [arm for arm in REQUIRED_ARMS if arm not in evidence.arms]:
        return f"not measured: {', '.join(absent)}; every verdict rests on these arms"
    if not evidence.finished:
        return f"the training of this checkpoint had not reached its end at step {evidence.steps}"
    return ""


def _instrument_fault(evidence: Evidence) -> str:
    """Why no figure may be read; empty if they may."""
    shuffled = evidence.measures.get("shuffled_minus_floor")
    if shuffled is None or not shuffled_at_floor(shuffled.interval):
        return (
            "the self-check of the instrument does not hold: shuffled latents are not at the floor"
        )
    room = evidence.measures.get("ceiling_minus_floor")
    if (
        room is None
        or Criterion("ceiling_minus_floor", "low", HEADROOM).judge(room.interval) != "passed"
    ):
        return f"too little headroom: ceiling - floor is not above {HEADROOM:.2f}"
    return ""


def _reason(criterion: Criterion, outcome: CriterionOutcome) -> str:
    interval = outcome.interval
    if interval is None:
        return f"{criterion.measure} was not measured"
    if not interval.defined:
        return f"{criterion.measure} has no interval"
    span = f"{interval.point:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    if outcome.status == "inconclusive":
        held = criterion.judge(interval) == "inconclusive"
        why = f"reaches across {criterion.threshold:.2f}" if held else "training seeds disagree"
        return f"{criterion.measure} {span}: {why}"
    side = "above" if (criterion.bound == "low") == (outcome.status == "passed") else "below"
    missed = "" if outcome.status == "passed" else ", on the wrong side"
    return f"{criterion.measure} {span} lies {side} {criterion.threshold:.2f}{missed}"
