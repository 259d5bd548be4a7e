"""Gates: criteria on intervals and the least evidence, judged by pure functions.

A gate is never loosened: where one proves badly chosen, a sibling is added and both are reported.
The gates themselves stand in the phases (phases.py); a test compares them with the plan.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from ..evaluate.arms.names import REQUIRED_ARMS
from ..evaluate.measures import HEADROOM as HEADROOM
from ..evaluate.measures import Measure, Measurement, shuffled_at_floor
from ..evaluate.stats import Interval
from .verdict import CriterionOutcome, Status, Verdict

MIN_RATIO: Final = 3.9
"""Tokens per latent of a gated figure; under 4, because the number of latents is rounded up."""


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

    criteria: tuple[Criterion, ...]
    """All of them have to pass; the first is the headline."""
    minimum: Minimum
    """Below this, the verdict is inconclusive."""
    aim: float | None = None
    """Retention that the phase aims at: reported, and not gated."""

    @property
    def sha256(self) -> str:
        """Of everything that decides a verdict; stands in every verdict made by this gate."""
        conditions = {"headroom": HEADROOM, "min_ratio": MIN_RATIO, "arms": REQUIRED_ARMS}
        text = json.dumps({"gate": asdict(self), **conditions}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


EXISTENCE: Final = Minimum(documents=200, questions=1500, seeds=1)
"""For a claim about one named checkpoint."""
COMPARISON: Final = Minimum(documents=400, questions=3000, seeds=3)
"""For a claim that one recipe is better than another."""


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
    checkpoints: Mapping[str, str] | None = None
    """Trial -> SHA-256 of the weights that were measured, those of the reference included."""
    steps: int | None = None
    """Optimiser steps behind them, of the shortest trial."""
    below_budget: str = ""
    """Why a training behind it was not the phase's own, whole; empty if it was."""


def apply_gate(
    phase: int, gate: Gate, evidence: Evidence, *, skipped: Sequence[int] = ()
) -> Verdict:
    """The verdict on a phase: a pure function of recorded numbers.

    Args:
        phase: 1 .. 8, for the record.
        gate: of the phase.
        evidence: what was measured.
        skipped: phases that lacked a verdict that counts on the way.
    """
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
        checkpoints=dict(evidence.checkpoints or {}),
        checkpoint_sha256=joint_sha256(evidence.checkpoints or {}),
        gate_sha256=gate.sha256,
        steps=evidence.steps,
        finished=not evidence.below_budget,
        counts=not shortfall,
        thin=bool(shortfall),
    )


def joint_sha256(checkpoints: Mapping[str, str]) -> str | None:
    """One hash for the weights of one trial or of several; None of none."""
    hashes = [checkpoints[name] for name in sorted(checkpoints)]
    if len(hashes) < 2:
        return hashes[0] if hashes else None
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


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
    statuses: tuple[Status, ...] = ("failed", "inconclusive")
    for status in statuses:
        for index, outcome in enumerate(outcomes):
            if outcome.status == status:
                return outcome.status, index
    return "passed", 0


def _shortfall(gate: Gate, evidence: Evidence) -> str:
    """What the plan asks for and the evidence lacks, whatever was measured; empty if nothing."""
    least = gate.minimum
    for name, count, wanted in (
        ("documents", evidence.documents, least.documents),
        ("questions", evidence.questions, least.questions),
        ("training seeds", len(set(evidence.seeds)), least.seeds),
    ):
        if count < wanted:
            return f"{count} {name}, the plan asks for at least {wanted}"
    if not evidence.tokens_per_latent >= MIN_RATIO:
        return (
            f"{evidence.tokens_per_latent:.2f} tokens per latent, "
            f"the plan asks for at least {MIN_RATIO}"
        )
    if evidence.phase_ratio is not None and evidence.ratio != evidence.phase_ratio:
        return (
            f"measured at {evidence.ratio:g}x, which is reported and never gated; the phase is "
            f"judged at {evidence.phase_ratio:g}x"
        )
    if absent := [arm for arm in REQUIRED_ARMS if arm not in evidence.arms]:
        return f"not measured: {', '.join(absent)}; every verdict rests on these arms"
    return evidence.below_budget


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
        crossed = criterion.judge(interval) == "inconclusive"
        why = f"reaches across {criterion.threshold:.2f}" if crossed else "training seeds disagree"
        return f"{criterion.measure} {span}: {why}"
    side = "above" if (criterion.bound == "low") == (outcome.status == "passed") else "below"
    missed = "" if outcome.status == "passed" else ", on the wrong side"
    return f"{criterion.measure} {span} lies {side} {criterion.threshold:.2f}{missed}"
