"""The figures of the report: every one answers one question and labels its data directly."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np

from ..evaluate.arms.table import ARMS, in_order
from ..evaluate.numbers import figure as number
from ..evaluate.numbers import human
from ..evaluate.result import EvaluationResult
from ..experiment.phases import phase
from ..experiment.verdict import Verdict
from .axes import (
    COLORS,
    ROW,
    draw_range,
    ends_of,
    in_words,
    label_rows,
    plain_grid,
    share_axis,
    write_above,
    write_right,
)
from .collect import LogPoint
from .svg import ACCENT, GRID, INK, MUTED, SOFT, WARN, blank, inline, style


def arms(result: EvaluationResult) -> str:
    """What the reasoner got right, by what it was given."""
    shown = in_order(result.arms)
    with style():
        figure, axes = blank(0.55 + ROW * len(shown))
        for row, arm in enumerate(shown):
            draw_range(axes, row, result.arms[arm], COLORS.get(arm, MUTED))
            write_right(axes, row, in_words(result.arms[arm]), COLORS.get(arm, MUTED))
        label_rows(axes, [_label(arm) for arm in shown])
        share_axis(axes, "accuracy (greedy exact match)")
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
            draw_range(axes, row, cell.accuracy[arm], ACCENT)
            write_right(axes, row, number(cell.accuracy[arm].point, 2), ACCENT)
        top = result.families[names[0]].accuracy
        write_above(axes, top["floor"].point, "floor", MUTED)
        write_above(axes, top["ceiling"].point, "ceiling", MUTED)
        label_rows(axes, names)
        share_axis(axes, f"accuracy, {arm}")
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
            draw_range(axes, row, interval, color)
            write_right(axes, row, in_words(interval), color)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for name, mark in _marks(verdict).items():
            axes.axvline(mark, color=WARN, linewidth=1, dashes=(4, 3))
            write_above(axes, mark, f"{name} {mark:.2f}", WARN)
        label_rows(axes, [name for name, _ in rows])
        share_axis(axes, "retention = (accuracy - floor) / (ceiling - floor)", ends_of(rows))
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
            draw_range(axes, row, rates[result.headline], WARN)
            write_right(axes, row, in_words(rates[result.headline]), WARN)
        label_rows(axes, names)
        axes.set_xlim(left=-0.01)
        axes.set_xlabel("stale answers / questions with a replaced value")
        plain_grid(axes)
        return inline(figure, "Stale rate by question family")


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
            mean = total / result.readings
            axes.barh(row, mean, height=0.62, color=color)
            times = f"  ({total / size.text:.1f}x the text)" if name != "text" and size.text else ""
            axes.annotate(
                human(mean) + times, (mean, row), xytext=(5, 0), textcoords="offset points",
                va="center", color=INK,
            )  # fmt: skip
        label_rows(axes, [name for name, _ in rows])
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.42)
        axes.set_xlim(left=0)
        return inline(figure, "Bytes of one document in three forms")


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


def _smoothed(losses: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Running median over a twentieth of the curve: steady, and no spike moves it."""
    half = max(1, len(losses) // 40)
    padded = np.pad(losses, half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.asarray(np.median(windows, axis=1))
