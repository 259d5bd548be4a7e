"""The figures of the report: every one answers one question and labels its data directly."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..evaluate.arms.table import ARMS, in_order
from ..evaluate.numbers import figure as number
from ..evaluate.numbers import human
from ..evaluate.result import EvaluationResult
from ..evaluate.stats import Interval
from ..experiment.phases import phase
from ..experiment.verdict import Verdict
from .collect import LogPoint
from .svg import ACCENT, GRID, INK, MUTED, SOFT, WARN, blank, inline, style

ROW = 0.34
"""Inches of a row."""


def arms(result: EvaluationResult) -> str:
    """What the reasoner got right, by what it was given."""
    shown = in_order(result.arms)
    with style():
        figure, axes = blank(0.55 + ROW * len(shown))
        for row, arm in enumerate(shown):
            _range(axes, row, result.arms[arm], _COLOR.get(arm, MUTED))
            _right(axes, row, _span(result.arms[arm]), _COLOR.get(arm, MUTED))
        _rows(axes, [_label(arm) for arm in shown])
        _share_axis(axes, "accuracy (greedy exact match)")
        return inline(figure, "Accuracy by arm, with 95 % intervals")


def families(result: EvaluationResult) -> str:
    """Where each family lies between its floor and its ceiling."""
    names = _by_retention(result)
    arm = result.headline
    with style():
        figure, axes = blank(0.75 + ROW * len(names))
        for row, name in enumerate(names):
            cell = result.families[name]
            low, high = (cell.accuracy[a].point for a in ("floor", "ceiling"))
            axes.plot([low, high], [row, row], color=SOFT, linewidth=7, solid_capstyle="butt")
            for end in (low, high):
                axes.plot([end], [row], marker="|", color=MUTED, markersize=9, markeredgewidth=1.4)
            _range(axes, row, cell.accuracy[arm], ACCENT)
            _right(axes, row, number(cell.accuracy[arm].point, 2), ACCENT)
        top = result.families[names[0]].accuracy
        _above(axes, top["floor"].point, "floor", MUTED)
        _above(axes, top["ceiling"].point, "ceiling", MUTED)
        _rows(axes, names)
        _share_axis(axes, f"accuracy, {arm}")
        return inline(figure, "Accuracy by question family between floor and ceiling")


def retention(result: EvaluationResult, verdict: Verdict | None) -> str:
    """How much survived, by family, against the threshold of the gate."""
    names = _by_retention(result)
    rows = [(name, result.families[name].retention["compressed"]) for name in names]
    rows.append(("all", result.overall.retention["compressed"]))
    with style():
        figure, axes = blank(0.75 + ROW * len(rows))
        for row, (name, interval) in enumerate(rows):
            color = ACCENT if name == "all" else INK
            _range(axes, row, interval, color)
            _right(axes, row, _span(interval), color)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for name, mark in _marks(verdict).items():
            axes.axvline(mark, color=WARN, linewidth=1, dashes=(4, 3))
            _above(axes, mark, f"{name} {mark:.2f}", WARN)
        _rows(axes, [name for name, _ in rows])
        _share_axis(axes, "retention = (accuracy - floor) / (ceiling - floor)", _ends(rows))
        return inline(figure, "Retention by question family, with 95 % intervals")


def stale(result: EvaluationResult) -> str:
    """How often the answer is a value that a later chunk replaced; empty without such questions."""
    names = [
        name
        for name in _by_retention(result)
        if not isnan(result.families[name].stale_rate[result.headline].point)
    ]
    if not names:
        return ""
    with style():
        figure, axes = blank(0.75 + ROW * len(names))
        for row, name in enumerate(names):
            rates = result.families[name].stale_rate
            if result.headline != "ceiling" and "ceiling" in rates:
                axes.plot(
                    [rates["ceiling"].point], [row], marker="|", color=MUTED, markersize=11,
                    markeredgewidth=1.6,
                )  # fmt: skip
            _range(axes, row, rates[result.headline], WARN)
            _right(axes, row, _span(rates[result.headline]), WARN)
        _rows(axes, names)
        axes.set_xlim(left=-0.01)
        axes.set_xlabel("stale answers / questions with a replaced value")
        _plain_grid(axes)
        return inline(figure, "Stale rate by question family")


def buckets(result: EvaluationResult) -> str:
    """Accuracy by the third of the document that holds the evidence; empty where unknown."""
    names = [name for name in ("early", "middle", "late") if name in result.buckets]
    if not names:
        return ""
    with style():
        figure, axes = blank(2.5)
        shown = [arm for arm in _LINES if arm in result.arms]
        for arm in shown:
            _line(axes, [result.buckets[name].accuracy[arm] for name in names], arm)
        ends = {arm: result.buckets[names[-1]].accuracy[arm].point for arm in shown}
        _label_ends(axes, len(names) - 1, ends)
        axes.set_xticks(
            range(len(names)), [f"{name}\nn = {result.buckets[name].questions}" for name in names]
        )
        axes.set_xlim(-0.25, len(names) - 0.35)
        axes.set_ylim(0, 1.04)
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.set_ylabel("accuracy")
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        return inline(figure, "Accuracy by the third of the document that holds the evidence")


def curve(log: Sequence[LogPoint]) -> str:
    """Training loss by step; empty for fewer than two points."""
    if len(log) < 2:
        return ""
    steps = np.array([point.step for point in log])
    losses = np.array([point.loss for point in log])
    with style():
        figure, axes = blank(2.5)
        smooth = _smoothed(losses)
        axes.plot(steps, losses, color=SOFT, linewidth=0.8)
        axes.plot(steps, smooth, color=ACCENT, linewidth=1.8)
        axes.annotate(
            f"{smooth[-1]:.3f}", (steps[-1], smooth[-1]), xytext=(5, 0), color=ACCENT,
            textcoords="offset points", va="center",
        )  # fmt: skip
        axes.set_xlabel("step")
        axes.set_ylabel("loss (nats a token)")
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        axes.margins(x=0.02)
        return inline(figure, "Training loss by step, single steps and running median")


def sizes(result: EvaluationResult) -> str:
    """Bytes of one document as text, latents and stored states; empty without latents."""
    size = result.bytes
    if size.latents is None or size.states is None or size.text is None:
        return ""
    rows = [("text", size.text), ("latents", size.latents), ("teacher states", size.states)]
    with style():
        figure, axes = blank(0.5 + ROW * len(rows))
        for row, (name, total) in enumerate(rows):
            color = ACCENT if name == "latents" else SOFT
            mean = total / result.documents
            axes.barh(row, mean, height=0.62, color=color)
            times = f"  ({total / size.text:.1f}x the text)" if name != "text" and size.text else ""
            axes.annotate(
                human(mean) + times, (mean, row), xytext=(5, 0), textcoords="offset points",
                va="center", color=INK,
            )  # fmt: skip
        _rows(axes, [name for name, _ in rows])
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.42)
        axes.set_xlim(left=0)
        return inline(figure, "Bytes of one document in three forms")


_LINES: tuple[str, ...] = ("ceiling", "floor", "shuffled", "compressed")
_COLOR = {"compressed": ACCENT, "shuffled": WARN, "ceiling": INK, "floor": INK}


def _label(arm: str) -> str:
    return f"{arm}: {ARMS[arm].label}" if arm in ARMS else arm


def _marks(verdict: Verdict | None) -> dict[str, float]:
    """What retention was to reach: the threshold of the gate, and the aim where there is one."""
    if verdict is None:
        return {}
    gated = [each.threshold for each in verdict.criteria if each.measure == "retention"]
    aim = phase(verdict.phase).gate.aim
    return {"gate": gated[0]} | ({"aim": aim} if aim else {}) if gated else {}


def _by_retention(result: EvaluationResult) -> list[str]:
    def key(name: str) -> tuple[float, str]:
        kept = result.families[name].retention.get("compressed")
        return (-kept.point if kept and not isnan(kept.point) else 1e9, name)

    return sorted(result.families, key=key)


def _range(axes: Axes, row: float, interval: Interval, color: str) -> None:
    if interval.defined:
        axes.plot([interval.low, interval.high], [row, row], color=color, linewidth=1.8)
    if not isnan(interval.point):
        axes.plot([interval.point], [row], marker="o", color=color, markersize=5.5)


def _line(axes: Axes, intervals: Sequence[Interval], arm: str) -> None:
    color, heavy = _COLOR.get(arm, MUTED), arm == "compressed"
    places = np.arange(len(intervals))
    points = [interval.point for interval in intervals]
    axes.plot(
        places, points, color=color, linewidth=1.8 if heavy else 1.0, marker="o", markersize=4
    )
    for place, interval in zip(places, intervals, strict=True):
        if heavy and interval.defined:
            axes.plot([place, place], [interval.low, interval.high], color=color, linewidth=1.8)


def _label_ends(axes: Axes, place: float, ends: Mapping[str, float]) -> None:
    """Names lines at their right ends, moved apart where they would overlap."""
    height = -1.0
    for arm, point in sorted(ends.items(), key=lambda item: item[1]):
        if isnan(point):
            continue
        height = max(point, height + 0.085)
        axes.annotate(
            arm, (place, height), xytext=(8, 0), textcoords="offset points", va="center",
            color=_COLOR.get(arm, MUTED),
        )  # fmt: skip


def _right(axes: Axes, row: float, text: str, color: str) -> None:
    axes.annotate(
        text, (1, row), xycoords=("axes fraction", "data"), xytext=(8, 0), va="center",
        textcoords="offset points", color=color, annotation_clip=False,
    )  # fmt: skip


def _above(axes: Axes, x: float, text: str, color: str) -> None:
    if not isnan(x):
        axes.annotate(
            text, (x, 1), xycoords=("data", "axes fraction"), xytext=(0, 3), ha="center",
            textcoords="offset points", color=color, fontsize=9, annotation_clip=False,
        )  # fmt: skip


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)


def _share_axis(axes: Axes, label: str, ends: Sequence[float] = ()) -> None:
    axes.set_xlim(min((0.0, *ends)) - 0.02, max((1.0, *ends)) + 0.02)
    axes.set_xlabel(label)
    _plain_grid(axes)


def _plain_grid(axes: Axes) -> None:
    axes.grid(axis="x", color=GRID, linewidth=0.6)


def _ends(rows: Sequence[tuple[str, Interval]]) -> list[float]:
    return [end for _, span in rows if span.defined for end in (span.low, span.high)]


def _span(interval: Interval) -> str:
    if isnan(interval.point):
        return "not measurable"
    if not interval.defined:
        return number(interval.point, 2)
    return f"{interval.point:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _smoothed(losses: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Running median over a twentieth of the curve: steady, and no spike moves it."""
    half = max(1, len(losses) // 40)
    padded = np.pad(losses, half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.asarray(np.median(windows, axis=1))
