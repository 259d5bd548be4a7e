"""Size and cost of an extraction, computed and shown before it begins."""

import shutil
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from ..common.errors import StoreError
from ..models.layers import layer_name
from ..store.format.schema import Manifest
from .batches import DocumentBatch, Window

BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True)
class ExtractionPlan:
    """Size and cost of an extraction; "left" is what an earlier, unfinished run did not do."""

    manifest: Manifest
    documents: int
    tokens: int
    documents_left: int
    tokens_left: int
    """Tokens whose states are still to be written."""
    computed_tokens_left: int
    """Tokens that the teacher will compute, padding and documents read again included."""
    tokens_per_second: float | None
    """Computed tokens per second of one process; None where nothing was measured or given."""
    processes: int = 1
    """Processes that share the work."""

    @property
    def bytes_per_token(self) -> int:
        """Bytes of one token's states in the stored precision, before compression."""
        values = len(self.manifest.layers) * self.manifest.teacher.hidden_size
        return values * BYTES_PER_VALUE[self.manifest.dtype]

    @property
    def gigabytes(self) -> float:
        """10^9 bytes of the whole store, before compression."""
        return self.tokens * self.bytes_per_token / 1e9

    @property
    def gigabytes_left(self) -> float:
        """10^9 bytes that are still to be written, before compression."""
        return self.tokens_left * self.bytes_per_token / 1e9

    @property
    def seconds_left(self) -> float | None:
        """Time that the teacher will need; None where its rate is not known."""
        if self.tokens_per_second is None:
            return None
        return self.computed_tokens_left / (self.tokens_per_second * self.processes)


def make_plan(
    manifest: Manifest,
    lengths: Sequence[int],
    windows: Sequence[Window],
    pending: Set[int],
    tokens_per_second: float | None,
    *,
    processes: int = 1,
) -> ExtractionPlan:
    """The plan for the `pending` documents of a corpus with these document lengths."""
    batches = pending_batches(windows, pending)
    return ExtractionPlan(
        manifest=manifest,
        documents=len(lengths),
        tokens=sum(lengths),
        documents_left=len(pending),
        tokens_left=sum(lengths[index] for index in pending),
        computed_tokens_left=sum(batch.padded_tokens for batch in batches),
        tokens_per_second=tokens_per_second,
        processes=processes,
    )


def pending_batches(windows: Sequence[Window], pending: Set[int]) -> list[DocumentBatch]:
    """Batches with at least one document whose states are not committed."""
    batches = [batch for window in windows for batch in window.batches]
    return [batch for batch in batches if not pending.isdisjoint(batch.indices)]


def check_space(plan: ExtractionPlan, path: Path) -> None:
    """Check that the disk has room for what is left to write.

    Raises:
        StoreError: there is less space than the states need uncompressed.
    """
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if plan.gigabytes_left > free:
        raise StoreError(
            f"{path}: the store needs {plan.gigabytes_left:.2f} GB more, the disk has "
            f"{free:.2f} GB left; free some, or choose fewer --documents or another --run"
        )


def render_plan(plan: ExtractionPlan, store: Path) -> RenderableType:
    """The plan as a table for the terminal."""
    teacher = plan.manifest.teacher
    table = Table(title="extraction plan", title_justify="left", show_header=False, box=None)
    table.add_row("teacher", f"{teacher.name} ({teacher.blocks} blocks x {teacher.hidden_size})")
    layers = ", ".join(layer_name(layer) for layer in plan.manifest.layers)
    table.add_row("layers", f"{layers}; kept as {plan.manifest.dtype}")
    table.add_row("documents", _of(plan.documents_left, plan.documents, ",", ""))
    table.add_row("tokens", _of(plan.tokens_left, plan.tokens, ",", ""))
    table.add_row("disk", _of(plan.gigabytes_left, plan.gigabytes, ".3f", " GB"))
    table.add_row("time", _time(plan))
    table.add_row("store", str(store))
    return table


def show_seconds(seconds: float) -> str:
    """A duration as people read it: 48 s, 7 min, 3.2 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _of(left: float, total: float, form: str, unit: str) -> str:
    if left == total:
        return f"{total:{form}}{unit}"
    return f"{left:{form}}{unit} left of {total:{form}}{unit}"


def _time(plan: ExtractionPlan) -> str:
    if plan.seconds_left is None or plan.tokens_per_second is None:
        return "not known: no rate was measured"
    each = f" in each of {plan.processes} processes" if plan.processes > 1 else ""
    return f"{show_seconds(plan.seconds_left)} at {plan.tokens_per_second:,.0f} tokens/s{each}"
