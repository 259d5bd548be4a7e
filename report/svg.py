"""Matplotlib figures as inline SVG that follow the light or dark theme of the page.

Figures are drawn in a few sentinel colours; in the SVG text these become CSS variables. Text stays
text, in the font of the page.
"""

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#010101"
"""Text and the reference arms."""
MUTED = "#020202"
"""Axes, secondary labels."""
GRID = "#030303"
"""Guide lines."""
ACCENT = "#040404"
"""The arm the page is about."""
WARN = "#050505"
"""Shuffled latents, stale answers."""
SOFT = "#060606"
"""Bars and ranges in the background."""

_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    ACCENT: "--accent",
    WARN: "--warn",
    SOFT: "--soft",
}

_STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def style() -> Any:  # noqa: ANN401  matplotlib has no types
    """Context in which figures are drawn."""
    return mpl.rc_context(rc=_STYLE)


def blank(height: float, *, width: float = 6.4) -> tuple[Figure, Axes]:
    """An empty figure and its axes, in inches; no window system is touched."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def inline(figure: Figure, title: str) -> str:
    """The figure as an `<svg>` element that can stand in a page.

    Args:
        figure: drawn in the colours of this module.
        title: what it shows, for those who can't see it.
    """
    buffer = io.StringIO()
    # Ids are hashes of what they name: the title keeps those of two figures of a page apart.
    with mpl.rc_context({"svg.hashsalt": title}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>\s*", "", text, flags=re.DOTALL)  # would reach the whole page
    # Group names repeat from figure to figure, and ids of one page must not.
    text = re.sub(r' id="[a-z0-9.]+_\d+"', "", text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", text)
    text = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font: \1 var(--sans)", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    size = re.search(r'viewBox="[^"]*"', text)
    assert size is not None, "matplotlib writes a viewBox"
    body = text[text.index(">") + 1 :].strip()
    return (
        f'<svg role="img" aria-label="{_escape(title)}" {size[0]} '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'stroke-linejoin="round">{body}'
    )


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
