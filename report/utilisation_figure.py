"""The plot of CE utilisation: against the length of the document and the age of the passage."""

import io
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..common import atomic
from ..evaluate.utilisation.result import UtilisationCell, UtilisationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME: Final = "utilisation.svg"
_COLORS: Final = {"compressed": "C0", "truncation": "C2", "bm25": "C4", "shuffled": "C3"}
"""Arms that are drawn, where they were measured."""


def write_utilisation_figure(result: UtilisationResult, folder: Path) -> Path | None:
    """Write `utilisation.svg`; returns its path, or None where nothing was compressed."""
    from matplotlib.figure import Figure

    panels = {
        "tokens of the document": result.lengths,
        "chunks since the passage": result.ages,
    }
    shown = {label: cells for label, cells in panels.items() if _drawable(cells)}
    if not shown:
        return None
    figure = Figure(figsize=(4.2 * len(shown), 3.2), layout="constrained")
    for axes, (label, cells) in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True
    ):
        _panel(axes, label, cells)
    figure.suptitle(f"{result.name} at {result.ratio:g}x", fontsize=10)
    image = io.StringIO()
    figure.savefig(image, format="svg")
    path = folder / NAME
    atomic.write_text(path, image.getvalue())
    return path


def _drawable(cells: Mapping[str, UtilisationCell]) -> bool:
    return any("compressed" in cell.utilisation for cell in cells.values())


def _panel(axes: "Axes", label: str, cells: Mapping[str, UtilisationCell]) -> None:
    for level in (0.0, 1.0):
        axes.axhline(level, color="0.7", linewidth=1)
    for arm, color in _COLORS.items():
        points = [
            (place, cell.utilisation[arm])
            for place, cell in enumerate(cells.values())
            if arm in cell.utilisation and not isnan(cell.utilisation[arm].point)
        ]
        for place, interval in points:
            if interval.defined:
                axes.plot([place, place], [interval.low, interval.high], color=color, linewidth=2)
        if points:
            places, intervals = zip(*points, strict=True)
            axes.plot(places, [each.point for each in intervals], "o-", color=color, label=arm)
    counts = [f"{name}\nn={cell.questions:,}" for name, cell in cells.items()]
    axes.set_xticks(range(len(cells)), counts, fontsize=8)
    axes.set_xlabel(label)
    axes.set_ylabel("CE utilisation (95 %)")
    axes.legend(fontsize=8, frameon=False)
