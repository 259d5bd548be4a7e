"""Measures that a gate can be passed without: what the sibling gates of the plan look at.

A retention over all questions may come from a few families, from guessing, or from what any
latents do to the reasoner. Each of these figures moves if it does. All intervals are of one draw
of documents; where a figure is the worst of several families, each has a share of the risk
(Bonferroni), so that the worst one lies in its interval at the nominal confidence.
"""

from collections.abc import Callable, Sequence
from math import nan
from typing import Final

import numpy as np

from .measures import StrictMeasure
from .scores import ScoredAnswer
from .stats import (
    CONFIDENCE,
    RESAMPLES,
    Bootstrap,
    Columns,
    FloatArray,
    Interval,
    difference,
    retained,
    retention,
    share,
)
from .tally import QUESTIONS, STALE_QUESTIONS, Answers, Tally, stale_column

LATENTS: Final = "compressed"
CONTROLS: Final = ("floor", "shuffled", "zero", "gaussian")
LEAST_QUESTIONS: Final = 60
"""Questions of a family below which it is no part of a worst-of-families figure."""


def strict_measures(
    rows: Sequence[ScoredAnswer], *, seed: int, resamples: int = RESAMPLES
) -> dict[StrictMeasure, Interval]:
    """Every strict measure that the arms allow, from the answers of one evaluation.

    Raises:
        ValueError: the arms did not answer the same questions.
    """
    answers = Answers(rows)
    bootstrap = Bootstrap.draw(len(answers.documents), seed=seed, resamples=resamples)
    taken = {name: make(answers, bootstrap) for name, make in _MEASURES.items()}
    return {name: interval for name, interval in taken.items() if interval is not None}


def _accuracy(answers: Answers, bootstrap: Bootstrap) -> Interval | None:
    if LATENTS not in answers.arms:
        return None
    tally = answers.all()
    return bootstrap.interval(share(LATENTS, QUESTIONS), tally.columns, tally.questions)


def _stale(answers: Answers, bootstrap: Bootstrap) -> Interval | None:
    if LATENTS not in answers.arms:
        return None
    tally = answers.all()
    rate = share(stale_column(LATENTS), STALE_QUESTIONS)
    return bootstrap.interval(rate, tally.columns, tally.stale_questions)


def _above_controls(answers: Answers, bootstrap: Bootstrap) -> Interval | None:
    if not {LATENTS, "ceiling", "floor"} <= set(answers.arms):
        return None
    controls = [arm for arm in CONTROLS if arm in answers.arms]

    def statistic(totals: Columns) -> FloatArray:
        best = np.maximum.reduce([np.asarray(totals[arm]) for arm in controls])
        return retention(totals[LATENTS], totals["ceiling"], best)

    tally = answers.all()
    return bootstrap.interval(statistic, tally.columns, tally.questions)


def _lowest_family(answers: Answers, bootstrap: Bootstrap) -> Interval | None:
    if not {LATENTS, "ceiling", "floor"} <= set(answers.arms):
        return None
    each = _by_family(answers, bootstrap, retained(LATENTS))
    return _together(each, point=min, low=min, high=min)


def _largest_shuffled(answers: Answers, bootstrap: Bootstrap) -> Interval | None:
    if not {"shuffled", "floor"} <= set(answers.arms):
        return None
    each = _by_family(answers, bootstrap, difference("shuffled", "floor", QUESTIONS))
    sizes = [
        one.model_copy(
            update={
                "point": abs(one.point),
                "low": max(0.0, one.low, -one.high),
                "high": max(abs(one.low), abs(one.high)),
            }
        )
        for one in each
    ]
    return _together(sizes, point=max, low=max, high=max)


def _above_other_text(answers: Answers, bootstrap: Bootstrap) -> Interval | None:
    if not {"shuffled", "other_text"} <= set(answers.arms):
        return None
    tally = answers.all()
    above = difference("shuffled", "other_text", QUESTIONS)
    return bootstrap.interval(above, tally.columns, tally.questions)


def _above_stale(answers: Answers, bootstrap: Bootstrap) -> Interval | None:
    tally = answers.of_bucket("late")
    if not {LATENTS, "stale"} <= set(answers.arms) or not tally.questions.sum():
        return None
    above = difference(LATENTS, "stale", QUESTIONS)
    return bootstrap.interval(above, tally.columns, tally.questions)


_MEASURES: Final[dict[StrictMeasure, Callable[[Answers, Bootstrap], Interval | None]]] = {
    "accuracy": _accuracy,
    "stale_rate": _stale,
    "retention_above_controls": _above_controls,
    "lowest_family_retention": _lowest_family,
    "largest_shuffled_effect": _largest_shuffled,
    "shuffled_above_other_text": _above_other_text,
    "above_stale": _above_stale,
}


def _by_family(
    answers: Answers, bootstrap: Bootstrap, statistic: Callable[[Columns], FloatArray]
) -> list[Interval]:
    """The interval of every family that is large enough, all of them simultaneous."""
    tallies: list[Tally] = [answers.of_families([name]) for name in answers.families]
    large = [tally for tally in tallies if tally.questions.sum() >= LEAST_QUESTIONS]
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(large))
    return [
        bootstrap.interval(statistic, tally.columns, tally.questions, confidence=confidence)
        for tally in large
    ]


def _together(
    each: Sequence[Interval],
    *,
    point: Callable[[list[float]], float],
    low: Callable[[list[float]], float],
    high: Callable[[list[float]], float],
) -> Interval | None:
    """The worst of simultaneous intervals; undefined where one of them is."""
    if not each:
        return None
    ends = {
        "point": point([one.point for one in each]),
        "low": low([one.low for one in each]),
        "high": high([one.high for one in each]),
        "confidence": CONFIDENCE,
        "n": sum(one.n for one in each),
    }
    if not all(one.defined for one in each):
        ends |= dict.fromkeys(("point", "low", "high"), nan)
    return each[0].model_copy(update=ends)
