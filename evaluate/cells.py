"""The figures of one evaluation: cells of questions, contrasts of arms, the self-check."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..common.record import Record
from .arms.table import ARMS, measurable_arms
from .balanced import Balanced, balance
from .cell import Cell as Cell
from .measures import (
    SELF_CHECK_DOCUMENTS,
    SELF_CHECK_QUESTIONS,
    SHUFFLED_MARGIN,
    Measure,
    shuffled_at_floor,
)
from .near_miss import VERDICTS
from .past import Past, by_past
from .scores import ScoredAnswer
from .stats import Bootstrap, Interval, difference, retained, share
from .tally import QUESTIONS, STALE_QUESTIONS, Answers, Tally, f1_column, stale_column

_UNDATED: Final = "undated"
_STALE: Final = "stale"
_LATENTS: Final = "compressed"
_CHECKED: Final = ("shuffled", "floor")


class Check(Record):
    """The instrument looking at itself."""

    passed: bool | None
    """False where the pre-registered rule fails. None where the check could not be made (an arm
    is missing, or there is a single document), or where the rule holds for want of evidence: the
    interval reaches the margin."""
    interval: Interval | None
    """Of the paired difference of accuracies that was looked at."""
    margin: float
    """Pre-registered margin, in accuracy."""
    message: str
    """One line in words."""
    sibling: str = ""
    """One line on what the check does not ask: whether shuffled latents lie below the floor."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """All figures of an evaluation, each with its interval; one draw of documents serves all."""

    documents: int
    """Whole documents with questions: the independent units."""
    beginnings: int
    """Beginnings of them that were read in their place; 0 where they were read whole."""
    overall: Cell
    """All questions."""
    families: dict[str, Cell]
    """By question family."""
    buckets: dict[str, Cell]
    """By third of the document that holds the latest evidence."""
    contrasts: dict[Measure, Interval]
    """Paired differences of accuracies, of those arms that are there."""
    forms: dict[str, Cell]
    """By form of the answer, of those questions whose form is known."""
    needs_days: dict[str, Cell]
    """By whether the days of chunks must be known, `yes` or `no`, where that is known."""
    above_undated: dict[str, Interval]
    """By arm: its accuracy minus that of the text as it ships, over the questions that need days;
    of the ceiling, what knowing the days is worth."""
    past: Past | None
    """By age, replaced values and chunks read, of those questions whose evidence is known."""
    f1: dict[str, Interval]
    """By arm: mean F1 of the words; empty where exact match decides."""
    above_text: dict[str, Interval]
    """By arm of text with as many tokens: accuracy of the latents minus that of the arm."""
    above_stale: dict[str, Interval]
    """By arm: its accuracy minus that of latents of the document without its last third, over the
    questions which that third settles; a reader of overrides lies above 0."""
    near_misses: dict[str, dict[str, int]]
    """By arm and what they are nearest to (`near_miss.VERDICTS`): wrong answers."""
    near_misses_by_form: dict[str, dict[str, dict[str, int]]]
    """The same by form of the right answer, of those questions whose form is known."""
    balanced: Balanced | None
    """Every kind of question weighed alike; None where forms are unknown or kinds too small."""


def break_down(rows: Sequence[ScoredAnswer], *, seed: int, resamples: int) -> Breakdown:
    """Condenses scored answers into cells.

    Raises:
        ValueError: the arms did not answer the same questions.
    """
    answers = Answers(rows)
    bootstrap = Bootstrap.draw(len(answers.documents), seed=seed, resamples=resamples)

    def cell(tally: Tally) -> Cell:
        return _cell(tally, answers.arms, bootstrap)

    return Breakdown(
        documents=len(answers.documents),
        beginnings=answers.beginnings,
        overall=cell(answers.all()),
        families={name: cell(answers.of_families([name])) for name in answers.families},
        buckets={name: cell(answers.of_bucket(name)) for name in answers.buckets},
        contrasts=_contrasts(answers.all(), answers.arms, bootstrap),
        forms={name: cell(answers.of_form(name)) for name in answers.forms},
        needs_days={name: cell(answers.of_days(name)) for name in answers.days},
        above_undated=_above(_UNDATED, answers, answers.of_days("yes"), bootstrap),
        past=by_past(rows, answers, cell, bootstrap),
        f1=_f1(answers, bootstrap),
        above_text=_above_text(answers, bootstrap),
        above_stale=_above(_STALE, answers, answers.of_bucket("late"), bootstrap),
        near_misses=_near_misses(rows, answers.arms),
        near_misses_by_form={
            form: _near_misses([row for row in rows if row.form == form], answers.arms)
            for form in answers.forms
        },
        balanced=balance(answers, bootstrap),
    )


def self_check(interval: Interval | None, arms: Collection[str] = ()) -> Check:
    """Whether shuffled latents are at the floor.

    Args:
        interval: of the difference of their accuracies; None where it was not taken.
        arms: those that were, to name what is missing.
    """
    if interval is None:
        lacks = [arm for arm in _CHECKED if arm not in arms] or _CHECKED
        return _unmade(f"it needs the {'arm' if len(lacks) == 1 else 'arms'} {' and '.join(lacks)}")
    if not interval.defined:
        return _unmade("one document says nothing of an interval", interval)
    span = f"shuffled - floor = {interval.point:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    passed: bool | None = shuffled_at_floor(interval)
    message = f"self-check holds: shuffled latents are at the floor ({span})"
    if not passed:
        message = (
            f"SELF-CHECK FAILED: shuffled latents beat the floor ({span}); "
            "what these latents gain is not all read from the document"
        )
    elif interval.high >= SHUFFLED_MARGIN:
        # The rule of the plan asks only that the interval reach 0, which a wide one always does.
        passed = None
        message = (
            f"self-check open: that shuffled latents beat the floor is not excluded: up to "
            f"{interval.high:+.2f} ({span}); more documents would tell"
        )
    elif interval.n < SELF_CHECK_QUESTIONS or interval.clusters < SELF_CHECK_DOCUMENTS:
        passed = None
        message = (
            f"self-check open: {interval.n} questions about {interval.clusters} documents are too "
            f"few to show shuffled latents at the floor ({span}); it takes {SELF_CHECK_QUESTIONS} "
            f"about {SELF_CHECK_DOCUMENTS}"
        )
    return Check(
        passed=passed,
        interval=interval,
        margin=SHUFFLED_MARGIN,
        message=message,
        sibling=_below(interval),
    )


def _unmade(why: str, interval: Interval | None = None) -> Check:
    message = f"self-check not made: {why}"
    return Check(passed=None, interval=interval, margin=SHUFFLED_MARGIN, message=message)


def _below(interval: Interval) -> str:
    if interval.high >= 0:
        return ""
    return (
        f"shuffled latents lie below the floor, by {-interval.high:.3f} at least: another "
        "document's latents mislead, so compressed - shuffled says more than compressed - floor"
    )


def _cell(tally: Tally, arms: Sequence[str], bootstrap: Bootstrap) -> Cell:
    columns, counts = tally.columns, tally.questions
    measurable = measurable_arms(arms)
    return Cell(
        questions=round(float(counts.sum())),
        accuracy={arm: bootstrap.interval(share(arm, QUESTIONS), columns, counts) for arm in arms},
        stale_rate={
            arm: bootstrap.interval(
                share(stale_column(arm), STALE_QUESTIONS), columns, tally.stale_questions
            )
            for arm in arms
        },
        retention={arm: bootstrap.interval(retained(arm), columns, counts) for arm in measurable},
    )


_CONTRASTS: Mapping[Measure, tuple[str, str]] = {
    "compressed_minus_shuffled": ("compressed", "shuffled"),
    "shuffled_minus_floor": ("shuffled", "floor"),
    "ceiling_minus_floor": ("ceiling", "floor"),
}


def _contrasts(tally: Tally, arms: Sequence[str], bootstrap: Bootstrap) -> dict[Measure, Interval]:
    return {
        name: bootstrap.interval(difference(plus, minus, QUESTIONS), tally.columns, tally.questions)
        for name, (plus, minus) in _CONTRASTS.items()
        if plus in arms and minus in arms
    }


def _above(
    reference: str, answers: Answers, tally: Tally, bootstrap: Bootstrap
) -> dict[str, Interval]:
    """By arm: accuracy above that of a reference arm; empty without such questions."""
    if reference not in answers.arms or not tally.questions.sum():
        return {}
    return {
        arm: bootstrap.interval(
            difference(arm, reference, QUESTIONS), tally.columns, tally.questions
        )
        for arm in answers.arms
        if arm != reference
    }


def _f1(answers: Answers, bootstrap: Bootstrap) -> dict[str, Interval]:
    if not answers.has_f1:
        return {}
    tally = answers.all()
    return {
        arm: bootstrap.interval(share(f1_column(arm), QUESTIONS), tally.columns, tally.questions)
        for arm in answers.arms
    }


def _above_text(answers: Answers, bootstrap: Bootstrap) -> dict[str, Interval]:
    if _LATENTS not in answers.arms:
        return {}
    tally = answers.all()
    return {
        arm: bootstrap.interval(
            difference(_LATENTS, arm, QUESTIONS), tally.columns, tally.questions
        )
        for arm in answers.arms
        if arm in ARMS and ARMS[arm].equal_tokens
    }


def _near_misses(rows: Sequence[ScoredAnswer], arms: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = Counter((row.arm, row.near) for row in rows)
    return {
        arm: {name: counts[arm, name] for name in VERDICTS if counts[arm, name]} for arm in arms
    }
