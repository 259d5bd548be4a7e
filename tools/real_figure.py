"""The figure of real text: what is kept, by length of the document and age of the passage."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .real_results_block import RESULTS
from .speeds import result_file
from .svg import line, svg, text

LEFT, TOP, WIDTH, HEIGHT, GAP = 34.0, 58.0, 360.0, 190.0, 54.0
MARGIN: Final = 84.0
"""Right of the last point, for the names of the dashed lines."""
KINDS: Final = ("c4", "c8", "c16")
"""Classes of the lines of the three ratios, whose legend stands above."""
CUT: Final = "cut"
"""Class of a dashed line, whose name stands at its end."""


def real_text(results: Path) -> str:
    """Two panels: CE utilisation of continuations by length; nats of questions by age."""
    record = result_file(results / RESULTS)
    ratios = sorted(record["lengths"], key=float)
    trainings = len(next(iter(record["continuation"].values()))["seeds"])
    return svg(
        round(LEFT + 2 * WIDTH + GAP + 16),
        round(TOP + HEIGHT + 78),
        "CE utilisation of continuations by length, and the cost of answers by age of the passage",
        [
            *_lengths(record["lengths"], ratios, trainings),
            *_ages(record["ages"], ratios, trainings),
        ],
    )


def _lengths(cells: Mapping[str, Any], ratios: Sequence[str], trainings: int) -> list[str]:
    bins = sorted(cells[ratios[0]], key=_first)
    parts = _frame(LEFT, "continuations: share of the text's worth (95 %)", 1.2, 0.2)
    for kind, ratio in zip(KINDS, ratios, strict=True):
        points = [cells[ratio][name]["utilisation"]["compressed"] for name in bins]
        parts += _curve(LEFT, kind, points, 1.2, f"{ratio}x")
    cut = [cells[ratios[0]][name]["utilisation"]["truncation"] for name in bins]
    parts += _curve(LEFT, CUT, cut, 1.2, f"text, {ratios[0]}x")
    counts = [cells[ratios[0]][name]["questions"] // trainings for name in bins]
    return parts + _ticks(LEFT, bins, counts, "tokens of the document")


def _ages(cells: Mapping[str, Any], ratios: Sequence[str], trainings: int) -> list[str]:
    left, top = LEFT + WIDTH + GAP, 4.0
    bins = sorted(cells[ratios[0]], key=_first)
    parts = _frame(left, "questions: nats an answer token (95 %)", top, 1.0)
    for kind, ratio in zip(KINDS, ratios, strict=True):
        points = [cells[ratio][name]["nats"]["compressed"] for name in bins]
        parts += _curve(left, kind, points, top, f"{ratio}x")
    for arm, label in (("ceiling", "the text"), ("floor", "nothing")):
        points = [cells[ratios[0]][name]["nats"][arm] for name in bins]
        parts += _curve(left, CUT, points, top, label)
    counts = [cells[ratios[0]][name]["questions"] // trainings for name in bins]
    return parts + _ticks(left, bins, counts, "chunks since the passage")


def _first(name: str) -> int:
    return int(name.rstrip("+").split("-")[0])


def _frame(left: float, title: str, top: float, step: float) -> list[str]:
    parts = [text(left, 16, title, "s", "start")]
    for number in range(round(top / step) + 1):
        y = TOP + HEIGHT * (1 - number * step / top)
        parts.append(line("g", [(left, y), (left + WIDTH, y)]))
        parts.append(text(left - 6, y + 4, f"{number * step:.1f}", "s", "end"))
    return parts


def _curve(
    left: float, kind: str, points: Sequence[Mapping[str, float]], top: float, label: str
) -> list[str]:
    """A line with its intervals and a name at its end."""

    def place(number: int, value: float) -> tuple[float, float]:
        x = left + 24 + number * (WIDTH - 24 - MARGIN) / (len(points) - 1)
        return x, TOP + HEIGHT * (1 - min(max(value / top, 0.0), 1.0))

    means = [place(number, one["point"]) for number, one in enumerate(points)]
    parts = [line(kind, means)]
    for number, one in enumerate(points):
        ends = [place(number, one["low"]), place(number, one["high"])]
        parts.append(line("bar" if kind == CUT else kind, ends))
    if kind == CUT:
        x, y = means[-1]
        return [*parts, text(x + 8, y + 4, label, "s", "start")]
    x = left + 24 + 64 * KINDS.index(kind)
    return [*parts, line(kind, [(x, 34), (x + 22, 34)]), text(x + 28, 38, label, "s", "start")]


def _ticks(left: float, names: Sequence[str], counts: Sequence[int], label: str) -> list[str]:
    parts = [text(left + WIDTH / 2, TOP + HEIGHT + 58, label, "s")]
    for number, (name, count) in enumerate(zip(names, counts, strict=True)):
        x = left + 24 + number * (WIDTH - 24 - MARGIN) / (len(names) - 1)
        parts.append(text(x, TOP + HEIGHT + 20, name, "s"))
        parts.append(text(x, TOP + HEIGHT + 36, f"n={count:,}", "s"))
    return parts
