"""Figures of one choice of questions, by arm."""

from collections.abc import Mapping
from math import nan

from ..common.record import Record
from .stats import Interval


class Cell(Record):
    """Figures over one choice of questions: all, a family, or a time bucket."""

    questions: int
    """Questions in the cell."""
    accuracy: dict[str, Interval]
    """Greedy exact match by arm."""
    stale_rate: dict[str, Interval]
    """Stale answers / answers to questions that have a replaced value, by arm."""
    retention: dict[str, Interval]
    """(accuracy - floor) / (ceiling - floor) by arm; NaN where the ceiling is not above."""


def point_of(interval: Interval | None) -> float:
    """The figure without its interval; NaN where it was not taken."""
    return nan if interval is None else interval.point


def accuracies_of(cells: Mapping[str, Cell], arm: str) -> dict[str, float]:
    """Accuracy of an arm by the name of the cell."""
    return {name: point_of(cell.accuracy.get(arm)) for name, cell in cells.items()}
