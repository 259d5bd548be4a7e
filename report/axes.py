"""Parts of the report's figures: rows with intervals, lines over places, and their labels."""

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np
from matplotlib.axes import Axes

from ..evaluate.numbers import figure as number
from ..evaluate.stats import Interval
from .svg import ACCENT, GRID, INK, MUTED, WARN

ROW = 0.34
"""Inches of a row."""
LINES: tuple[str, ...] = ("ceiling", "floor", "shuffled", "compressed")
COLORS = {"compressed": ACCENT, "shuffled": WARN, "ceiling": INK, "floor": INK}


def draw_range(axes: Axes, row: float, interval: Interval, color: str) -> None:
    """A figure and its interval, in a row."""
    if interval.defined:
        axes.plot([interval.low, interval.high], [row, row], color=color, linewidth=1.8)
    if not isnan(interval.point):
        axes.plot([interval.point], [row], marker="o", color=color, markersize=5.5)


def draw_line(axes: Axes, intervals: Sequence[Interval], arm: str) -> None:
    """A line over places, with the intervals of the latents."""
    color, heavy = COLORS.get(arm, MUTED), arm == "compressed"
    places = np.arange(len(intervals))
    points = [interval.point for interval in intervals]
    axes.plot(
        places, points, color=color, linewidth=1.8 if heavy else 1.0, marker="o", markersize=4
    )
    for place, interval in zip(places, intervals, strict=True):
        if heavy and interval.defined:
            axes.plot([place, place], [interval.low, interval.high], color=color, linewidth=1.8)


def label_ends(axes: Axes, place: float, ends: Mapping[str, float]) -> None:
    """Names lines at their right ends, moved apart where they would overlap."""
    height = -1.0
    for arm, point in sorted(ends.items(), key=lambda item: item[1]):
        if isnan(point):
            continue
        height = max(point, height + 0.085)
        axes.annotate(
            arm, (place, height), xytext=(8, 0), textcoords="offset points", va="center",
            color=COLORS.get(arm, MUTED),
        )  # fmt: skip


def write_right(axes: Axes, row: float, text: str, color: str) -> None:
    """Text at the right end of a row."""
    axes.annotate(
        text, (1, row), xycoords=("axes fraction", "data"), xytext=(8, 0), va="center",
        textcoords="offset points", color=color, annotation_clip=False,
    )  # fmt: skip


def write_above(axes: Axes, x: float, text: str, color: str) -> None:
    """Text above a place on the axis of figures."""
    if not isnan(x):
        axes.annotate(
            text, (x, 1), xycoords=("data", "axes fraction"), xytext=(0, 3), ha="center",
            textcoords="offset points", color=color, fontsize=9, annotation_clip=False,
        )  # fmt: skip


def label_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names of the rows, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)


def share_axis(axes: Axes, label: str, ends: Sequence[float] = ()) -> None:
    """An axis of shares, from 0 to 1 or as far as the ends of intervals go."""
    axes.set_xlim(min((0.0, *ends)) - 0.02, max((1.0, *ends)) + 0.02)
    axes.set_xlabel(label)
    plain_grid(axes)


def plain_grid(axes: Axes) -> None:
    """Lines at the ticks of the axis of figures."""
    axes.grid(axis="x", color=GRID, linewidth=0.6)


def ends_of(rows: Sequence[tuple[str, Interval]]) -> list[float]:
    """All ends of the intervals that have any."""
    return [end for _, span in rows if span.defined for end in (span.low, span.high)]


def in_words(interval: Interval) -> str:
    """A figure with its interval, as it stands in a figure."""
    if isnan(interval.point):
        return "not measurable"
    if not interval.defined:
        return number(interval.point, 2)
    return f"{interval.point:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
