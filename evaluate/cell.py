"""Figures of one choice of questions, by arm."""

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
