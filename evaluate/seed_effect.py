"""Training seeds as a random effect: how far the mean of a few seeds may be from that of all.

Documents alone as the source of chance would treat the trained seeds as the only ones there are;
a difference between seeds would then pass for a difference between recipes. With S seeds whose
estimates have the standard deviation s, their mean has the standard error s / sqrt(S), and its
deviation from the mean of all seeds, divided by that, follows Student's t with S - 1 degrees of
freedom (Student 1908, for seeds that are normally distributed). One such deviation, t s / sqrt(S),
is added to every bootstrap draw of the pooled figure, independent of the drawn documents: the
distribution of the sum is the generalised one for a mean in a random-effects model (Weerahandi
1993, "Generalized confidence intervals"), and its percentiles cover documents and seeds.

Of m comparisons with one full recipe the variances are pooled. They share the seeds of that recipe,
so the degrees of freedom are not m (S - 1) but 4 m (S - 1) / (m + 3), at most four comparisons'
worth: Satterthwaite (1946) for the mean of m variances of differences, all recipes alike. With
m (S - 1) a null row of twelve was told apart 5.8 % of the time (docs/LOG.md, 2026-11-29).

s holds a little of the chance of documents too, so the interval is rather too wide than too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .stats import FloatArray

_STREAM: Final = 1
"""Keeps the draws apart from those of documents, which come from the same seed."""


@dataclass(frozen=True, slots=True)
class SeedEffect:
    """The uncertainty that a few training seeds leave in their mean."""

    sd: float
    """Standard deviation of one seed, in units of the figure; NaN where one is undefined."""
    degrees: float
    """Degrees of freedom behind `sd`."""
    seeds: int
    """Seeds that were averaged."""

    @classmethod
    def of(cls, *estimates: Sequence[float]) -> "SeedEffect | None":
        """From the figure of every seed; None for fewer than two seeds.

        Args:
            estimates: by comparison the figures of its S seeds; of several, all are against the
                same full recipe, and their variances are pooled.

        Raises:
            ValueError: no comparison, or unequal numbers of seeds.
        """
        sizes = {len(each) for each in estimates}
        if len(sizes) != 1:
            raise ValueError(f"estimates of {sorted(sizes)} seeds cannot be pooled")
        (seeds,) = sizes
        if seeds < 2:
            return None
        variance = np.var(np.asarray(estimates, dtype=np.float64), axis=1, ddof=1).mean()
        pooled = len(estimates)
        degrees = 4 * pooled * (seeds - 1) / (pooled + 3)
        return cls(float(np.sqrt(variance)), degrees, seeds)

    def draws(self, count: int, seed: int) -> FloatArray:
        """Deviations of the mean [count]; the same seed gives the same ones."""
        t = np.random.default_rng([seed, _STREAM]).standard_t(self.degrees, size=count)
        return np.asarray(t * self.sd / np.sqrt(self.seeds), dtype=np.float64)
