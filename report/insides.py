"""What `latentcomp diagnose` found in the weights that the page speaks of, drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from ..evaluate.diagnosis.injected import Depth
from ..evaluate.diagnosis.layers import LayerFigures, LayerReport
from ..evaluate.diagnosis.localization import Localization
from ..evaluate.diagnosis.probes import Probe
from ..evaluate.diagnosis.result import Diagnosis
from .axes import ROW, draw_range, ends_of, in_words, label_rows, plain_grid, write_right
from .svg import ACCENT, GRID, INK, MUTED, SOFT, WARN, blank, inline, style

PATTERN: Final = "diagnosis-*.json"
"""Files beside a trial, as the command names them."""
_COLORS: Final = (ACCENT, WARN, INK)
"""Of the layers, the deepest first; further ones are drawn like the last."""
_APART: Final = 0.26
"""Rows between two layers of a family."""


def diagnosis_of(trial: Path, checkpoint_sha256: str | None) -> Diagnosis | None:
    """The newest diagnosis of these weights that lies beside their trial; None without one.

    Args:
        trial: folder of the trial.
        checkpoint_sha256: of the weights; None of no weights.

    Raises:
        LatentcompError: a file is damaged.
    """
    files = sorted(trial.glob(PATTERN), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for file in files if checkpoint_sha256 else ():
        diagnosis = Diagnosis.read(file)
        if diagnosis.checkpoint_sha256 == checkpoint_sha256:
            return diagnosis
    return None


def layers(report: LayerReport | None) -> str:
    """Accuracy lost without each layer, by family; empty where it was not measured."""
    if report is None or len(report.layers) < 2:
        return ""
    names = sorted(report.families)
    deepest_first = sorted(report.layers, key=lambda one: -one.layer.blocks_completed)
    with style():
        figure, axes = blank(0.9 + 2 * ROW * len(names))
        for place, one in enumerate(deepest_first):
            color = _COLORS[min(place, len(_COLORS) - 1)]
            shift = _APART * (place - (len(deepest_first) - 1) / 2)
            for row, name in enumerate(names):
                draw_range(axes, row + shift, one.families[name], color)
            axes.plot([], [], color=color, marker="o", label=_layer(one))
        axes.axvline(0, color=MUTED, linewidth=0.8)
        label_rows(axes, names)
        axes.set_xlabel("accuracy lost without the state")
        plain_grid(axes)
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False, labelcolor=INK
        )
        return inline(figure, "Accuracy lost without each teacher layer, by question family")


def shares(report: LayerReport | None) -> str:
    """The learned shares of the layers in one line; empty where none was learned."""
    if report is None or not report.layers:
        return ""
    modules = sorted({name for one in report.layers for name in one.shares})
    lines = []
    for module in modules:
        each = ", ".join(
            f"{one.shares[module]:.2f} after {one.layer.blocks_completed}" for one in report.layers
        )
        lines.append(f"Learned shares in {module} (blocks completed): {each}.")
    return " ".join(lines)


def sizes(depths: Sequence[Depth]) -> str:
    """Size of states behind each depth, where latents and where text was read; empty without."""
    if len(depths) < 2:
        return ""
    places = [depth.blocks_completed for depth in depths]
    lines = {
        "latents": ([depth.latents_rms for depth in depths], ACCENT),
        "its text": ([depth.text_rms for depth in depths], INK),
    }
    with style():
        figure, axes = blank(2.5)
        for name, (heights, color) in lines.items():
            axes.plot(places, heights, color=color, marker="o", markersize=4, label=name)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        _depth_axes(axes, "size of a state, in embeddings")
        return inline(figure, "Size of states behind each block, of latents and of text")


def probes(measured: Sequence[Probe]) -> str:
    """What a linear map reads off latents and off mean states; empty without probes."""
    if not measured:
        return ""
    with style():
        figure, axes = blank(0.55 + ROW * len(measured))
        for row, one in enumerate(measured):
            color = ACCENT if one.source == "latents" else INK
            axes.plot(
                [one.base.point], [row], marker="|", color=MUTED, markersize=11, markeredgewidth=1.6
            )
            draw_range(axes, row, one.score, color)
            write_right(axes, row, in_words(one.score), color)
        label_rows(axes, [f"{one.of}, from {one.source}" for one in measured])
        spans = [(one.of, span) for one in measured for span in (one.score, one.base)]
        axes.set_xlim(-0.02, max((1.0, *ends_of(spans))) + 0.02)
        axes.set_xlabel("share that is right")
        plain_grid(axes)
        return inline(figure, "What linear probes read off latents and from mean states")


def looking(localization: Localization | None) -> str:
    """Attention to the latents of the evidence by depth; empty where it was not measured."""
    if localization is None or len(localization.depths) < 2:
        return ""
    places = [one.blocks_completed for one in localization.depths]
    with style():
        figure, axes = blank(2.5)
        heights = [one.evidence.point for one in localization.depths]
        axes.plot(places, heights, color=ACCENT, marker="o", markersize=4, label="answers")
        for place, one in zip(places, localization.depths, strict=True):
            if one.evidence.defined:
                ends = [one.evidence.low, one.evidence.high]
                axes.plot([place, place], ends, color=ACCENT, linewidth=1.8)
        chance = [one.chance.point for one in localization.depths]
        axes.plot(places, chance, color=INK, linewidth=1, label="no preference")
        axes.set_ylim(bottom=0)
        _depth_axes(axes, "share of attention")
        return inline(figure, "Attention from answers to the latents of their evidence, by depth")


def example(localization: Localization | None) -> str:
    """Where the reasoner looked for one answer, chunk by chunk; empty where it is not known."""
    shown = None if localization is None else localization.example
    if shown is None or len(shown.chunks) < 2:
        return ""
    with style():
        figure, axes = blank(2.2)
        for chunk, part in enumerate(shown.chunks):
            axes.bar(chunk, part, width=0.7, color=ACCENT if chunk in shown.evidence else SOFT)
        axes.set_xticks(range(len(shown.chunks)))
        axes.set_xlabel("chunk of the document")
        axes.set_ylabel("share of attention")
        axes.tick_params(axis="y", labelcolor=MUTED)
        return inline(figure, "Attention to the latents of each chunk, for one answer")


def _depth_axes(axes: Axes, what: str) -> None:
    """Depth along, `what` up, and the names of the lines."""
    axes.set_xlabel("blocks of the reasoner completed")
    axes.set_ylabel(what)
    axes.tick_params(axis="y", labelcolor=MUTED)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.legend(frameon=False, labelcolor=INK)


def _layer(one: LayerFigures) -> str:
    return f"after {one.layer.blocks_completed} blocks"
