"""What a gate may look at: the measures of the plan (section 3), and what each was taken from."""

from dataclasses import dataclass
from math import nan
from typing import Final, Literal

from .stats import Interval

Measure = Literal[
    "retention",
    "compressed_minus_shuffled",
    "shuffled_minus_floor",
    "ceiling_minus_floor",
    "retention_gain",
    "time_gain",
    "stale_rate",
    "stale_rise",
    "largest_ablation_drop",
]
"""Defined in section 3 of docs/experiment_plan.md."""

StrictMeasure = Literal[
    "accuracy",
    "stale_rate",
    "retention_above_controls",
    "lowest_family_retention",
    "largest_shuffled_effect",
    "shuffled_above_other_text",
    "above_stale",
]
"""Of the gates beside those (`strict.py`); defined in section 5a."""

TIME_FAMILIES: Final = ("latest", "original", "as_of", "changed", "when", "order")
"""Families that need time information."""
SHUFFLED_MARGIN: Final = 0.02
"""The self-check holds when shuffled - floor has low <= 0, or high below this."""

SELF_CHECK_QUESTIONS: Final = round(3 / SHUFFLED_MARGIN)
"""Fewest questions on which a self-check may be said to hold: of fewer, not one may show a share
of `SHUFFLED_MARGIN` more than 1 time of 20 (the rule of three)."""
SELF_CHECK_DOCUMENTS: Final = 20
"""Fewest documents, which are the independent units."""
HEADROOM: Final = 0.30
"""ceiling - floor must lie above this, else there is no room to measure retention in."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measure as it was taken: its interval, and what each training seed alone gave."""

    interval: Interval
    """Training seeds pooled within each document."""
    by_seed: tuple[float, ...] = ()
    """Point estimate of each training seed; empty where there is one seed."""
    p: float = nan
    """Two-sided p-value of no difference, from the draws of the interval; NaN where not asked."""


def shuffled_at_floor(difference: Interval) -> bool:
    """The self-check: the interval of shuffled - floor reaches 0, or lies below the margin."""
    return difference.defined and (difference.low <= 0 or difference.high < SHUFFLED_MARGIN)
