"""Intervals: a percentile bootstrap that resamples whole documents, all arms at once.

Questions about one document share its latents and its difficulties, so they are not independent;
resampling questions would make every interval too narrow. One draw of documents serves all arms,
which pairs them. See docs/experiment_plan.md, section 7.

Legend: D documents, R resamples. A column holds one sum per document, float64 [D].
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from ..common.record import Record

FloatArray = NDArray[np.float64]
Columns = Mapping[str, FloatArray]
"""Sums by name: [D] per document, or the totals of R resamples [R]."""
Statistic = Callable[[Columns], FloatArray]
"""A figure from totals, elementwise; NaN where it is undefined."""

CONFIDENCE = 0.95
RESAMPLES = 2000
MAX_UNDEFINED = 0.025
"""Share of undefined resamples above which a figure has no interval: a whole tail."""

Figure = Annotated[float, BeforeValidator(lambda value: nan if value is None else value)]
"""A number that may be unmeasured: NaN here, null in JSON."""


class Interval(Record):
    """A figure with the uncertainty that the sample of documents leaves."""

    point: Figure
    """The figure on all documents; NaN where it is undefined."""
    low: Figure
    """Lower end; NaN with fewer than two documents, or where too many resamples are undefined."""
    high: Figure
    """Upper end; NaN as `low`."""
    n: int
    """Questions behind the figure."""
    clusters: int
    """Documents that contribute at least one question: the independent units."""
    resamples: int = RESAMPLES
    """Bootstrap draws."""
    seed: int = 0
    """Seed of the draws."""
    confidence: float = CONFIDENCE
    """Nominal coverage."""

    @property
    def defined(self) -> bool:
        """Whether there are a figure and both ends."""
        return not (isnan(self.point) or isnan(self.low) or isnan(self.high))


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How often every document is drawn in every resample."""

    weights: FloatArray
    """[R, D], each row sums to D."""
    seed: int
    """Seed the draws came from."""

    @classmethod
    def draw(cls, documents: int, *, seed: int, resamples: int = RESAMPLES) -> "Bootstrap":
        """Draws documents with replacement; the same seed gives the same draws.

        Raises:
            ValueError: no documents, or no resamples.
        """
        if documents < 1 or resamples < 1:
            raise ValueError(f"{documents} documents, {resamples} resamples: need one of each")
        rng = np.random.default_rng(seed)
        chances = np.full(documents, 1.0 / documents)
        return cls(rng.multinomial(documents, chances, size=resamples).astype(np.float64), seed)

    def draws(
        self, statistic: Statistic, columns: Columns, deviations: FloatArray | None = None
    ) -> FloatArray:
        """The figure in every resample, [R]; arguments as in `interval`."""
        draws = statistic(_Totals(self.weights, columns))
        return draws if deviations is None else draws + deviations

    def interval(
        self,
        statistic: Statistic,
        columns: Columns,
        counts: FloatArray,
        *,
        confidence: float = CONFIDENCE,
        deviations: FloatArray | None = None,
    ) -> Interval:
        """Percentile interval of a statistic of totals.

        Args:
            statistic: the figure; the same function gives the point and the draws.
            columns: sums per document, each [D].
            counts: questions per document, [D]; only for what the interval says of its sample.
            confidence: nominal coverage.
            deviations: what another source of chance adds to each draw, [R]; None if there is none.
        """
        sums = {name: np.asarray(column.sum()) for name, column in columns.items()}
        point = float(statistic(sums))
        draws = self.draws(statistic, columns, deviations)
        clusters = int(np.count_nonzero(counts))
        low, high = _percentiles(draws, confidence)
        # One document says nothing of how documents differ, and an undefined figure has no ends.
        if clusters < 2 or isnan(point):
            low = high = nan
        return Interval(
            point=point,
            low=low,
            high=high,
            n=round(float(counts.sum())),
            clusters=clusters,
            resamples=len(self.weights),
            seed=self.seed,
            confidence=confidence,
        )


class _Totals(dict[str, FloatArray]):
    """Totals of every resample, made for those columns that a statistic asks for."""

    def __init__(self, weights: FloatArray, columns: Columns) -> None:
        super().__init__()
        self._weights, self._columns = weights, columns

    def __missing__(self, name: str) -> FloatArray:
        total: FloatArray = self._weights @ self._columns[name]
        self[name] = total
        return total


def _percentiles(draws: FloatArray, confidence: float) -> tuple[float, float]:
    """Both ends, or NaN where too many draws are undefined."""
    defined = draws[~np.isnan(draws)]
    if len(defined) < (1 - MAX_UNDEFINED) * len(draws) or not len(defined):
        return nan, nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def p_value(draws: FloatArray) -> float:
    """How often a difference would look this far from 0 or farther, were there none.

    By inversion of the two-sided percentile interval: twice the smaller share of draws on either
    side of 0, each counted once more than it is, so that it is never 0 (Davison and Hinkley, 1997,
    section 4.4). NaN where too many draws are undefined.
    """
    defined = draws[~np.isnan(draws)]
    if not len(defined) or len(defined) < (1 - MAX_UNDEFINED) * len(draws):
        return nan
    beyond = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (1 + beyond) / (1 + len(defined)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that keep the chance of any false finding at the level (Holm, 1979).

    NaN stays NaN, and counts as a test that was made.
    """
    order = sorted(range(len(p_values)), key=lambda i: (isnan(p_values[i]), p_values[i]))
    adjusted, highest = [nan] * len(p_values), 0.0
    for place, index in enumerate(order):
        if not isnan(p_values[index]):
            highest = max(highest, min(1.0, (len(order) - place) * p_values[index]))
            adjusted[index] = highest
    return adjusted


def quotient(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Elementwise quotient; NaN where the denominator is not positive."""
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    result = np.full(bottom.shape, nan)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result


def retention(arm: FloatArray, ceiling: FloatArray, floor: FloatArray) -> FloatArray:
    """(arm - floor) / (ceiling - floor), of right answers to the same questions.

    NaN, never 0, where the ceiling is not above the floor: nothing could be retained. Not clipped.
    """
    return quotient(np.asarray(arm) - np.asarray(floor), np.asarray(ceiling) - np.asarray(floor))


def share(part: str, whole: str) -> Statistic:
    """The statistic `part / whole`, such as accuracy or stale rate."""
    return lambda totals: quotient(totals[part], totals[whole])


def difference(plus: str, minus: str, whole: str) -> Statistic:
    """The statistic `(plus - minus) / whole`: a paired difference of accuracies."""
    return lambda totals: quotient(totals[plus] - totals[minus], totals[whole])


def retained(arm: str, ceiling: str = "ceiling", floor: str = "floor") -> Statistic:
    """The statistic retention over three columns of right answers."""
    return lambda totals: retention(totals[arm], totals[ceiling], totals[floor])


def largest(intervals: Sequence[Interval]) -> Interval:
    """Interval of the largest of several figures whose intervals hold simultaneously.

    With every interval at confidence 1 - (1 - c) / m (Bonferroni), the largest figure lies between
    the largest lower end and the largest upper end with confidence c.

    Raises:
        ValueError: no intervals.
    """
    if not intervals:
        raise ValueError("the largest of no intervals")
    lead = max(intervals, key=lambda interval: interval.point)
    if not all(interval.defined for interval in intervals):
        return lead.model_copy(update={"point": nan, "low": nan, "high": nan})
    ends = {
        "low": max(interval.low for interval in intervals),
        "high": max(interval.high for interval in intervals),
        "confidence": 1 - (1 - lead.confidence) * len(intervals),
    }
    return lead.model_copy(update=ends)
