"""What an interval of a difference says in a word, and how small a difference it could show.

"Not significant" is no finding. So a difference is *tied* only where its whole interval lies within
a margin that was fixed before (an equivalence test by interval inclusion; Schuirmann, 1987), and
where it is neither that nor clear of 0, the smallest difference that such a sample shows stands
beside it.
"""

from math import nan
from statistics import NormalDist
from typing import Final, Literal

from .numbers import figure
from .stats import Interval

Word = Literal["above", "below", "tied", "open", "unmeasured"]

TIED_MARGIN: Final = 0.02
"""Largest difference of accuracies or retentions that counts as none; fixed 2026-11-28."""
POWER: Final = 0.80
"""How often the smallest shown difference is to be found."""


def word(difference: Interval) -> Word:
    """Above or below 0, tied, open, or unmeasured where there is no interval."""
    if not difference.defined:
        return "unmeasured"
    if difference.low > 0 or difference.high < 0:
        return "above" if difference.low > 0 else "below"
    tied = difference.low > -TIED_MARGIN and difference.high < TIED_MARGIN
    return "tied" if tied else "open"


def smallest_shown(difference: Interval) -> float:
    """The true difference that a sample like this one shows four times in five.

    (z(1 - a/2) + z(power)) standard errors, the standard error from the width of the interval; NaN
    without one. Of simultaneous intervals, as many standard errors as their confidence asks for.
    """
    if not difference.defined:
        return nan
    normal = NormalDist()
    reach = normal.inv_cdf((1 + difference.confidence) / 2)
    error = (difference.high - difference.low) / (2 * reach)
    return (reach + normal.inv_cdf(POWER)) * error


def power_for(difference: Interval, effect: float) -> float:
    """How often a true difference of this size would be found by a sample like this one.

    Of the normal approximation, the side that cannot be meant left out; NaN without an interval.
    """
    if not difference.defined:
        return nan
    shown = smallest_shown(difference)
    normal = NormalDist()
    reach = normal.inv_cdf((1 + difference.confidence) / 2)
    error = shown / (reach + normal.inv_cdf(POWER))
    return 1 - normal.cdf(reach - abs(effect) / error) if error > 0 else 1.0


def in_words(difference: Interval, digits: int = 3) -> str:
    """`+0.210 [+0.150, +0.260]`, with what it means where it is not clear of 0."""
    if not difference.defined:
        return "–"
    value = f"{difference.point:+.{digits}f}"
    ends = f"[{difference.low:+.{digits}f}, {difference.high:+.{digits}f}]"
    notes = {
        "tied": f", tied: within {TIED_MARGIN:.2f}",
        "open": f", open: {figure(smallest_shown(difference), digits)} would show",
    }
    return f"{value} {ends}{notes.get(word(difference), '')}"
