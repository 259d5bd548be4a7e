"""Training seeds as a random effect: how far the mean of a few seeds may be from that of all.

Documents alone as the source of chance would treat the trained seeds as the only ones there are;
a difference between seeds would then pass for a difference between recipes. With S seeds whose
estimates have the standard deviation s, their mean has the standard error s / sqrt(S), and its
deviation from the mean of all seeds, divided by that, follows Student's t with S - 1 degrees of
freedom (Student 1908, for seeds that are normally distributed). One such deviation, t s / sqrt(S),
is added to every bootstrap draw of the pooled figure, independent of the drawn documents: the
distribution of the sum is the generalised one for a mean in a random-effects model (Weerahandi
1993, "Generalized confidence intervals"), and its percentiles cover documents and seeds.

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
    degrees: int
    """Degrees of freedom behind `sd`."""
    seeds: int
    """Seeds that were averaged."""

    @classmethod
    def of(cls, *estimates: Sequence[float]) -> "SeedEffect | None":
        """From the figure of every seed; None for fewer than two seeds.

        Args:
            estimates: by comparison the figures of its S seeds. Of m comparisons the standard
                deviations are pooled, with m (S - 1) degrees of freedom.

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
        return cls(float(np.sqrt(variance)), len(estimates) * (seeds - 1), seeds)

    def draws(self, count: int, seed: int) -> FloatArray:
        """Deviations of the mean [count]; the same seed gives the same ones."""
        t = np.random.default_rng([seed, _STREAM]).standard_t(self.degrees, size=count)
        return np.asarray(t * self.sd / np.sqrt(self.seeds), dtype=np.float64)
