"""Figures of the documentation, as SVG: the architecture, what survived by family, real text.

`python -m latentcomp.tools.figures` writes them into `docs/figures`; a test compares them with the
committed results. Colours follow the reader's light or dark mode.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..common import atomic
from ..evaluate.result import EvaluationResult
from .ratio_figure import ratio_figure
from .real_figure import real_text
from .svg import bar, svg, text

BOXES: Final = (
    # x, y, width, class, title, lines below it
    (10, 20, 150, "b", "documents", ("chunks, days, questions", "corpus/")),
    (210, 20, 150, "f", "teacher (frozen)", ("reads once", "extract/")),
    (410, 20, 150, "b", "store", ("states of -6, -18, -30", "store/")),
    (610, 20, 150, "m", "compressor", ("states to K latents", "compressor/, train/")),
    (610, 150, 150, "m", "projection", ("latents to input vectors", "compressor/")),
    (410, 150, 150, "f", "reasoner (frozen)", ("answers questions", "reasoner/")),
    (210, 150, 150, "b", "evaluation", ("arms, controls, intervals", "evaluate/")),
    (10, 150, 150, "b", "verdict, report", ("gates written before", "experiment/, report/")),
)
ARROWS: Final = (
    "M160 55 H204", "M360 55 H404", "M560 55 H604", "M685 96 V144",
    "M610 185 H566", "M410 185 H366", "M210 185 H166",
    "M85 96 V122 H485 V144",
)  # fmt: skip
"""The last one: questions, and for the ceiling the document itself."""


def architecture(results: Path) -> str:
    """What flows where, from documents to a verdict. `results` is not looked at."""
    del results
    parts = [
        '<defs><marker id="p" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">'
        '<path class="h" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    ]
    parts += [f'<path class="a" marker-end="url(#p)" d="{arrow}"/>' for arrow in ARROWS]
    for x, y, width, kind, title, lines in BOXES:
        parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="76" rx="8"/>')
        parts.append(text(x + width / 2, y + 24, title))
        parts += [
            text(x + width / 2, y + 44 + 18 * row, line, "s") for row, line in enumerate(lines)
        ]
    parts.append(
        text(285, 117, "questions; the full text for the ceiling, no text for the floor", "s")
    )
    return svg(770, 245, "From documents to a verdict", parts)


def retention(results: Path) -> str:
    """Retention by family with its interval, from the committed evaluation of phase 4."""
    result = EvaluationResult.read(results / "phase4.json")
    cells = {name: result.families[name] for name in sorted(result.families)}
    rows = {**cells, "all": result.overall}
    left, width, height = 90, 520, 24
    furthest = max(1.0, *(cell.retention["compressed"].high for cell in rows.values()))
    parts = []
    for tick in range(0, 11, 2):
        x = left + width * tick / 10
        parts.append(f'<path class="g" d="M{x:.1f} 24 V{30 + height * len(rows)}"/>')
        parts.append(text(x, 46 + height * len(rows), f"{tick / 10:.1f}", "s"))
    for number, (name, cell) in enumerate(rows.items()):
        kept, y = cell.retention["compressed"], 30 + height * number
        parts.append(text(left - 8, y + 14, name, anchor="end"))
        if summary := cell.accuracy.get("summary"):
            parts.append(bar("t", left, y, width * summary.point))
        parts.append(bar("c", left, y + 8, width * kept.point))
        low, high = left + width * kept.low, left + width * kept.high
        parts.append(f'<path class="e" d="M{low:.1f} {y + 12} H{high:.1f}"/>')
        end = left + width * furthest + 8
        parts.append(text(end, y + 14, f"{kept.point:.2f}", anchor="start"))
    title = f"Retention at {result.ratio:g}x, {result.documents} held-out documents"
    grey = "; grey: accuracy of as many tokens of summary" if "summary" in result.arms else ""
    parts.append(text(left, 14, f"{title} (blue, 95 %){grey}", "s", "start"))
    return svg(720, 60 + height * len(rows), title, parts)


FIGURES: Final[dict[str, Callable[[Path], str]]] = {
    "architecture.svg": architecture,
    "ratios.svg": ratio_figure,
    "retention.svg": retention,
    "real_text.svg": real_text,
}
"""File of `docs/figures` -> what makes it from the folder of results."""


def main() -> None:
    """Write every figure of this checkout."""
    docs = Path(__file__).resolve().parents[1] / "docs"
    for name, make in FIGURES.items():
        atomic.write_text(docs / "figures" / name, make(docs / "results"))


if __name__ == "__main__":
    main()
