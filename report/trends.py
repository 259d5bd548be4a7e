"""How accuracy goes with where the evidence stands, and retention with the form of the answer."""

from collections.abc import Mapping, Sequence

from ..evaluate.cell import Cell
from ..evaluate.past import AGES, OVERRIDES, STEPS
from ..evaluate.result import EvaluationResult
from .axes import (
    LINES,
    ROW,
    draw_line,
    draw_range,
    ends_of,
    in_words,
    label_ends,
    label_rows,
    share_axis,
    write_right,
)
from .svg import GRID, INK, MUTED, blank, inline, style


def buckets(result: EvaluationResult) -> str:
    """Accuracy by the third of the document that holds the evidence; empty where unknown."""
    title = "Accuracy by the third of the document that holds the evidence"
    return _trend(result.buckets, ("early", "middle", "late"), title)


def ages(result: EvaluationResult) -> str:
    """Accuracy by the chunks behind the evidence; empty where unknown, or with one age alone."""
    cells = {} if result.past is None else result.past.ages
    names = [name for name, *_ in AGES]
    return _trend(cells, names, "Accuracy by chunks behind the evidence") if len(cells) > 1 else ""


def overrides(result: EvaluationResult) -> str:
    """Accuracy by the number of replaced values; empty where unknown, or with one alone."""
    cells = {} if result.past is None else result.past.overrides
    names = [name for name, *_ in OVERRIDES]
    return _trend(cells, names, "Accuracy by replaced values") if len(cells) > 1 else ""


def steps(result: EvaluationResult) -> str:
    """Accuracy by the chunks that had been read; empty of whole documents."""
    cells = {} if result.past is None else result.past.steps
    return _trend(cells, [name for name, *_ in STEPS], "Accuracy by chunks read")


def forms(result: EvaluationResult) -> str:
    """How much survived, by form of the answer; empty where forms are unknown."""
    rows = [
        (name, cell.retention["compressed"])
        for name, cell in result.forms.items()
        if "compressed" in cell.retention
    ]
    if not rows:
        return ""
    with style():
        figure, axes = blank(0.75 + ROW * len(rows))
        for row, (_, interval) in enumerate(rows):
            draw_range(axes, row, interval, INK)
            write_right(axes, row, in_words(interval), INK)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        label_rows(axes, [name for name, _ in rows])
        share_axis(axes, "retention", ends_of(rows))
        return inline(figure, "Retention by form of the answer, with 95 % intervals")


def _trend(cells: Mapping[str, Cell], order: Sequence[str], title: str) -> str:
    names = [name for name in order if name in cells]
    if not names:
        return ""
    with style():
        figure, axes = blank(2.5)
        shown = [arm for arm in LINES if arm in cells[names[0]].accuracy]
        for arm in shown:
            draw_line(axes, [cells[name].accuracy[arm] for name in names], arm)
        ends = {arm: cells[names[-1]].accuracy[arm].point for arm in shown}
        label_ends(axes, len(names) - 1, ends)
        axes.set_xticks(
            range(len(names)), [f"{name}\nn = {cells[name].questions}" for name in names]
        )
        axes.set_xlim(-0.25, len(names) - 0.35)
        axes.set_ylim(0, 1.04)
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.set_ylabel("accuracy")
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        return inline(figure, title)
