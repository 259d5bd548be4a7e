"""How much survives at each ratio that was measured, in words, in a table and in a figure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan, log2
from typing import Final

from ..evaluate.arms.table import ARMS
from ..evaluate.result import EvaluationResult
from ..evaluate.stats import Interval
from ..experiment.gates import EXISTENCE
from ..experiment.phases import phase
from .axes import COLORS
from .svg import ACCENT, GRID, MUTED, blank, inline, style

_CLAIM: Final = phase(4).gate
"""The claim about one checkpoint; its aim and its least are the thresholds of the words."""
MINIMUM: Final = EXISTENCE
"""Fewer documents or questions are judged by no word."""
NO_LOSS, LARGE, CATASTROPHIC, OPEN = (
    "no catastrophic loss",
    "large loss",
    "catastrophic loss",
    "inconclusive",
)
NOTE: Final = (
    f"The loss in words, by section 5b of docs/experiment_plan.md: {NO_LOSS}, the whole interval "
    f"of retention above {_CLAIM.aim:.2f}; {LARGE}, between {_CLAIM.criteria[0].threshold:.2f} and "
    f"{_CLAIM.aim:.2f}; {CATASTROPHIC}, below {_CLAIM.criteria[0].threshold:.2f}; else, or on "
    f"fewer than {MINIMUM.documents} documents or {MINIMUM.questions:,} questions, or with a "
    f"self-check that does not hold, {OPEN}. It is of these weights, and no verdict of a phase."
)
CLASSES: Final = {NO_LOSS: "passed", LARGE: "open", CATASTROPHIC: "failed", OPEN: "inconclusive"}
"""Word -> class of its colour."""


@dataclass(frozen=True, slots=True)
class AtRatio:
    """One ratio of the same weights on the same documents."""

    result: EvaluationResult
    word: str
    """How large the loss is, by section 5a of the plan."""
    text: str
    """Best text of as many tokens, and whether latents are above it; empty where none was asked."""

    @property
    def name(self) -> str:
        """The ratio, and that these weights were not trained for it where they were not."""
        trained = self.result.trained_ratios
        other = bool(trained) and self.result.ratio not in trained
        return f"{self.result.ratio:g}x{', not trained for' if other else ''}"

    @property
    def tone(self) -> str:
        """Class of its word."""
        return CLASSES[self.word]


def at_ratios(lead: EvaluationResult, others: Iterable[EvaluationResult]) -> tuple[AtRatio, ...]:
    """The evaluations of the lead's weights on the lead's documents, the lowest ratio first.

    Args:
        lead: which the page speaks of; its ratio is shown by it and by no other.
        others: the newest first; of two at a ratio the newer is taken.
    """
    newest = {lead.ratio: lead}
    for each in others:
        if _same(each, lead):
            newest.setdefault(each.ratio, each)
    measured = [newest[ratio] for ratio in sorted(newest) if not isnan(newest[ratio].retention)]
    return tuple(AtRatio(each, word_of(each), beside_text(each)) for each in measured)


def _same(one: EvaluationResult, lead: EvaluationResult) -> bool:
    if one.corpus is None or lead.corpus is None:
        return False
    this, that = (
        (each.checkpoint_sha256, each.documents, each.beginnings, each.scorer)
        for each in (one, lead)
    )
    return this == that and one.corpus.sha256 == lead.corpus.sha256


def word_of(result: EvaluationResult) -> str:
    """How large the loss is: the whole interval of retention against the plan's two thresholds."""
    few = result.documents < MINIMUM.documents or result.questions < MINIMUM.questions
    kept = result.overall.retention.get("compressed")
    sound = all(check.passed for check in result.checks.values())
    if few or kept is None or not kept.defined or not sound or _CLAIM.aim is None:
        return OPEN
    least = _CLAIM.criteria[0].threshold
    if kept.low > _CLAIM.aim:
        return NO_LOSS
    if kept.high < least:
        return CATASTROPHIC
    return LARGE if kept.low > least and kept.high < _CLAIM.aim else OPEN


def beside_text(result: EvaluationResult) -> str:
    """The text of as many tokens that comes nearest, and how latents stand to it."""
    if not result.above_text:
        return ""
    arm, above = min(result.above_text.items(), key=lambda each: each[1].point)
    if not above.defined:
        return ""
    stand = "above" if above.low > 0 else "below" if above.high < 0 else "tied with"
    return f"{stand} {_named(arm)}"


def drawn(rows: Sequence[AtRatio]) -> str:
    """Retention over the ratio, beside text of as many tokens; empty for one ratio alone."""
    if len(rows) < 2:
        return ""
    places = [log2(row.result.ratio) for row in rows]
    curves = {arm: _points(rows, arm) for arm in _shown(rows)}
    with style():
        figure, axes = blank(3.1)
        for arm, points in curves.items():
            heavy = arm == "compressed"
            color = ACCENT if heavy else COLORS.get(arm, MUTED)
            heights = [point.point for point in points]
            axes.plot(
                places, heights, color=color, linewidth=1.8 if heavy else 1, marker="o",
                markersize=4.5 if heavy else 3,
            )  # fmt: skip
            for place, point in zip(places, points, strict=True):
                if point.defined:
                    axes.plot([place, place], [point.low, point.high], color=color, linewidth=1.6)
        lowest = -1.0
        for arm, points in sorted(curves.items(), key=lambda each: each[1][-1].point):
            lowest = max(points[-1].point, lowest + 0.075)
            axes.annotate(
                "latents" if arm == "compressed" else _named(arm), (places[-1], lowest),
                xytext=(8, 0), textcoords="offset points", va="center", annotation_clip=False,
                color=ACCENT if arm == "compressed" else MUTED,
            )  # fmt: skip
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.set_xticks(places, [f"{row.result.ratio:g}x" for row in rows])
        axes.set_xlabel("tokens per latent")
        axes.set_ylabel("retention")
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        return inline(figure, "Retention over tokens per latent, with 95 % intervals")


def _named(arm: str) -> str:
    return f"{arm} ({ARMS[arm].label})" if arm in ARMS else arm


def _shown(rows: Sequence[AtRatio]) -> list[str]:
    """The latents, and every text of as many tokens that was measured at each ratio."""
    texts = [arm.name for arm in ARMS.values() if arm.equal_tokens]
    names = ["compressed", *texts]
    return [name for name in names if all(name in row.result.overall.retention for row in rows)]


def _points(rows: Sequence[AtRatio], arm: str) -> list[Interval]:
    return [row.result.overall.retention[arm] for row in rows]
