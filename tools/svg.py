"""Pieces of the documentation's figures: SVG that follows the reader's light or dark mode."""

from collections.abc import Sequence
from html import escape
from typing import Final

STYLE: Final = """<style>
text{font:13px system-ui,sans-serif;fill:#1b1b1f}.s{font-size:11px;fill:#5b5b66}
.b{fill:#f4f4f8;stroke:#8a8a99}.m{fill:#e3edff;stroke:#4a78c8}.f{fill:#fff2dc;stroke:#c08a2d}
.a{stroke:#6b6b78;fill:none;stroke-width:1.5}.h{fill:#6b6b78}.g{stroke:#d8d8e0}
.c{fill:#4a78c8}.t{fill:#c9c9d4}.e{stroke:#1b1b1f;stroke-width:1.5}
.c4,.c8,.c16,.cut,.bar{fill:none;stroke-width:2}
.c4{stroke:#4a78c8}.c8{stroke:#2e9e8f}.c16{stroke:#c07a2d}
.cut,.bar{stroke:#9a9aa6}.cut{stroke-dasharray:5 4}
@media(prefers-color-scheme:dark){text{fill:#e8e8ee}.s{fill:#a8a8b6}
.b{fill:#26262e;stroke:#6b6b7a}.m{fill:#1f2d47;stroke:#6f9be8}.f{fill:#3a2f1b;stroke:#d8a748}
.a{stroke:#a8a8b6}.h{fill:#a8a8b6}.g{stroke:#3a3a46}.c{fill:#6f9be8}.t{fill:#55555f}
.e{stroke:#e8e8ee}
.c4{stroke:#6f9be8}.c8{stroke:#4fc9b8}.c16{stroke:#e0a050}}
</style>"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "middle") -> str:
    """Words at a place.

    Args:
        x: of their middle, or of the end that `anchor` names.
        y: of their base line.
        words: as they are read.
        kind: class of `STYLE`.
        anchor: start, middle or end.
    """
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def bar(kind: str, x: float, y: float, width: float) -> str:
    """A bar eight units high."""
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="8"/>'


def line(kind: str, points: Sequence[tuple[float, float]]) -> str:
    """A line through points."""
    return f'<path class="{kind}" d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'


def svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """The whole figure, with its title for those who do not see it."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", STYLE, *parts, "</svg>", ""])
