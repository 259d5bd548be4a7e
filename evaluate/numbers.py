"""How figures are written: fixed digits, a dash where there is none, intervals in brackets."""

from math import isnan

from .stats import Interval

UNMEASURED = "–"


def human(size: float) -> str:
    """Bytes in the unit that keeps them below 1,024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def figure(value: float, digits: int = 3) -> str:
    """A figure, or a dash where there is none: unmeasured is not 0."""
    return UNMEASURED if isnan(value) else f"{value:.{digits}f}"


def span(interval: Interval, digits: int = 3) -> str:
    """A figure with its interval, such as `0.512 [0.471, 0.553]`."""
    if isnan(interval.point):
        return UNMEASURED
    ends = f"{figure(interval.low, digits)}, {figure(interval.high, digits)}"
    return f"{figure(interval.point, digits)} [{ends}]"
