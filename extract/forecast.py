"""Forecast of an extraction from a config and a measured rate, without weights or a corpus."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table

from ..common.errors import TeacherError
from ..models.architecture import PRESETS, Architecture, load_architecture
from ..models.footprint import MemoryPlan, extraction
from ..models.layers import layer_name, resolve_layers
from ..store.format.schema import DtypeName, LayerRecord
from .plan import BYTES_PER_VALUE
from .teachers.reading_mode import mode_name, recorded_mode

MEASURED: Final = Path(__file__).resolve().parents[1] / "docs" / "results" / "extract_30b.json"
"""Written by benchmarks/extract_30b.py on a real GPU."""
DOCUMENTS: Final = {"2k": "documents of 2k tokens", "mix": "documents of 2k to 32k tokens"}
"""Kinds of documents in MEASURED; the cost of attention grows with their length."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens per second of one card, writing the store included."""

    tokens_per_second: float
    source: str
    """Origin of the number, for the table."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Size and time of an extraction."""

    architecture: Architecture
    layers: tuple[LayerRecord, ...]
    dtype: DtypeName
    tokens: int
    rates: tuple[Rate, ...]
    within_hours: float
    """Time limit that `cards` is computed for."""
    memory: MemoryPlan
    """Memory of one card, from the architecture."""

    @property
    def terabytes(self) -> float:
        """10^12 bytes of the states before compression."""
        values = len(self.layers) * self.architecture.hidden
        return self.tokens * values * BYTES_PER_VALUE[self.dtype] / 1e12

    def hours(self, rate: Rate) -> float:
        """On one card."""
        return self.tokens / rate.tokens_per_second / 3600

    def cards(self, rate: Rate) -> int:
        """Cards needed within the time limit; documents are independent, so rates add up."""
        return max(1, math.ceil(self.hours(rate) / self.within_hours))


def forecast(
    teacher: str,
    layers: Sequence[int],
    tokens: int,
    *,
    dtype: DtypeName = "bfloat16",
    batch_tokens: int = 32_768,
    within_hours: float = 24.0,
    tokens_per_second: float | None = None,
    measured: Path = MEASURED,
) -> Forecast:
    """Size, time and memory of an extraction.

    Args:
        teacher: preset of `doctor`, folder with a config.json, or hub id; for a preset's hub id
            nothing has to be on this machine.
        layers: negative numbers as on the command line.
        tokens: to read.
        dtype: in which the states are kept.
        batch_tokens: read at once.
        within_hours: in which it should be done.
        tokens_per_second: of one card; None takes what was measured.
        measured: record of the benchmark.

    Raises:
        TeacherError: the architecture is not known here, lacks a layer, or was not measured.
    """
    architecture = _architecture(teacher)
    records = resolve_layers(layers, architecture.blocks)
    if tokens_per_second is not None:
        rates: tuple[Rate, ...] = (Rate(tokens_per_second, "given"),)
    else:
        rates = _measured_rates(architecture, records, measured)
    memory = extraction(architecture, batch_tokens=batch_tokens, layers=len(records))
    return Forecast(architecture, records, dtype, tokens, rates, within_hours, memory)


def render_forecast(forecast: Forecast) -> RenderableType:
    """The forecast as a table for the terminal."""
    model = forecast.architecture
    table = Table(title="extraction forecast", title_justify="left", show_header=False, box=None)
    table.add_row("teacher", f"{model.name} ({model.blocks} blocks x {model.hidden})")
    layers = ", ".join(layer_name(layer) for layer in forecast.layers)
    table.add_row("layers", f"{layers}; kept as {forecast.dtype}")
    table.add_row("tokens", f"{forecast.tokens:,}")
    table.add_row("disk", f"{forecast.terabytes:.2f} TB before compression")
    table.add_row("memory", f"{forecast.memory.bytes / 1e9:.1f} GB on each card, counted")
    for rate in forecast.rates:
        hours, speed = forecast.hours(rate), rate.tokens_per_second
        table.add_row("time", f"{hours:.1f} hours on one card at {speed:,.0f} tokens/s")
        table.add_row("", rate.source)
        table.add_row(
            "cards", f"{forecast.cards(rate)} to be done in {forecast.within_hours:g} hours"
        )
    return table


def _architecture(teacher: str) -> Architecture:
    preset = teacher.rpartition("/")[2].lower()
    known = load_architecture(teacher) or (load_architecture(preset) if preset in PRESETS else None)
    if known is None:
        raise TeacherError(
            f"the config of {teacher!r} is not on this machine; give --teacher "
            f"{' or '.join(PRESETS)}, or a folder with a config.json"
        )
    return known


def _measured_rates(
    architecture: Architecture, layers: Sequence[LayerRecord], measured: Path
) -> tuple[Rate, ...]:
    """Of the record, if it is about this shape and blocks as deep."""
    record = _record(measured)
    shape = record.get("config", {})
    deepest = max(layer.blocks_completed for layer in layers)
    same = (shape.get("model_type"), shape.get("num_hidden_layers"), shape.get("hidden_size")) == (
        architecture.family, architecture.blocks, architecture.hidden,
    )  # fmt: skip
    if not same or deepest > record.get("blocks_run", 0):
        raise TeacherError(
            f"no rate was measured for {deepest} blocks of {architecture.name!r}; give "
            "--tokens-per-second"
        )
    card = (record["provenance"]["hardware"]["gpus"] or ["the CPU"])[0]
    return tuple(
        Rate(
            float(run["tokens_per_second"]["median"]),
            f"{text}, measured on {card} with {_how_read(record)}",
        )
        for kind, text in DOCUMENTS.items()
        if "tokens_per_second" in (run := record.get("extraction", {}).get(kind, {}))
    )


def _how_read(record: Mapping[str, Any]) -> str:
    """The measured reading mode, and the relative speed of the one that `auto` chooses."""
    done = [variant for variant in record["variants"] if variant["error"] is None]
    modes = {variant["name"]: mode_name(recorded_mode(variant["reading"])) for variant in done}
    speed = {variant["name"]: variant["tokens_per_second"]["median"] for variant in done}
    chosen = record["chosen"]
    name = modes[chosen]
    usual = [speed[other] for other, mode in modes.items() if mode == "compiled"]
    if name != "tuned" or not usual:
        return f"--reading {name}"
    return f"--reading tuned; auto takes compiled, {max(usual) / speed[chosen]:.2f} as fast"


def _record(measured: Path) -> dict[str, Any]:
    try:
        record = json.loads(measured.read_bytes())
    except (OSError, ValueError) as error:
        raise TeacherError(
            f"{measured.name}, the record of measured rates, cannot be read "
            f"({type(error).__name__}); give --tokens-per-second"
        ) from error
    return dict(record)
