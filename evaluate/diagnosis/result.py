"""The record of `latentcomp diagnose`, and its table."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field
from rich import box
from rich.console import Console
from rich.table import Table

from ...common import atomic
from ...common.record import Record, read_record
from ..held_out import Source
from ..numbers import figure, span
from .injected import Depth
from .layers import LayerReport
from .localization import Localization
from .probes import Probe


class Diagnosis(Record):
    """Figures that explain a checkpoint and judge nothing."""

    checkpoint: str
    """As it was named."""
    checkpoint_sha256: str
    documents: int
    seed: int
    ratio: float
    corpus: Source
    depths: tuple[Depth, ...]
    """Empty where probes alone were asked for."""
    layers: LayerReport | None
    """None likewise."""
    probes: tuple[Probe, ...]
    localization: Localization | None = None
    """None likewise, where no evidence is known, and in records of earlier versions."""
    notes: tuple[str, ...] = ()
    """What could not be measured, a line each."""
    provenance: dict[str, Any] = Field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write as JSON, null for NaN, atomically."""
        atomic.write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote. Raises: LatentcompError, one line."""
        return read_record(cls, path)


def print_diagnosis(result: Diagnosis, console: Console) -> None:
    """One table for each kind of figure."""
    title = f"{result.checkpoint}: {result.documents} documents at {result.ratio:g}x"
    if result.layers is None:
        console.print(title)
    else:
        _print_insides(result, result.layers, title, console)
    if result.localization is not None:
        _print_localization(result.localization, console)
    if result.probes:
        probes = _table("linear probes", "of", "from", "score [95 %]", "constant guess")
        for each in result.probes:
            probes.add_row(each.of, each.source, span(each.score), figure(each.base.point))
        console.print(probes)
    for note in result.notes:
        console.print(note, style="yellow")


def _print_insides(result: Diagnosis, report: LayerReport, title: str, console: Console) -> None:
    depths = _table(title, "blocks", "size", "of text", "nearest", "of text ")
    for depth in result.depths:
        means = (depth.latents_rms, depth.text_rms, depth.latents_nearest, depth.text_nearest)
        depths.add_row(str(depth.blocks_completed), *map(figure, means))
    console.print(depths)
    names = [f"without {one.layer.blocks_completed}" for one in report.layers]
    layers = _table("accuracy, and what is lost without a layer", "family", "all layers", *names)
    for family, whole in {**report.families, "all": report.accuracy}.items():
        lost = [one.families.get(family, one.drop) for one in report.layers]
        layers.add_row(family, figure(whole.point), *(span(each, 2) for each in lost))
    console.print(layers)
    for one in report.layers:
        shares = ", ".join(f"{module} {value:.3f}" for module, value in one.shares.items())
        console.print(f"share of the layer after {one.layer.blocks_completed} blocks: {shares}")


def _print_localization(localization: Localization, console: Console) -> None:
    title = "share of the attention on latents that falls on those of the evidence"
    table = _table(title, "blocks", "answers [95 %]", "no preference")
    for one in localization.depths:
        figures = (span(one.evidence), figure(one.chance.point))
        table.add_row(str(one.blocks_completed), *figures)
    console.print(table)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table
