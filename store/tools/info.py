"""The summary of a store that `latentcomp store info` prints."""

import math
from pathlib import Path
from typing import Final

from ...common.errors import StoreError
from ..format import ledger, seal
from ..format.layout import MANIFEST, SEAL, Layout, is_store
from ..format.schema import Manifest, Record
from ..format.shard_table import ShardTable
from ..format.statistics import LayerStatistics
from ..places.open import place_of
from ..places.protocol import Place, exists
from ..read.document_table import DocumentTable

FEW_DIMENSIONS: Final = 3.0
"""From so many times the size without outliers on, a few dimensions make most of the size."""


class StoreInfo(Record):
    """A store at a glance; `model_dump_json()` gives it to programs."""

    path: str
    complete: bool
    """True if the store is finished."""
    documents: int
    chunks: int
    tokens: int
    shards: int
    committed_shards: int
    raw_bytes: int
    """Bytes of the states alone, before any codec."""
    stored_bytes: int
    """Bytes of all shard files on the disk."""
    manifest: Manifest
    statistics: tuple[LayerStatistics, ...]
    """One per layer, over the committed shards; empty if there are none."""

    def lines(self) -> tuple[str, ...]:
        """The same for people: one aligned line per fact."""
        teacher = self.manifest.teacher
        revision = f" @ {teacher.revision}" if teacher.revision else ""
        state = "complete" if self.complete else f"{self.committed_shards} of {self.shards} shards"
        stored = max(1, self.stored_bytes)
        facts = {
            "store": f"{self.path} ({state}, format version {self.manifest.format_version})",
            "teacher": f"{teacher.name}{revision} ({teacher.architecture}, {teacher.blocks} "
            f"blocks, hidden {teacher.hidden_size}, weights {teacher.weights_sha256[:12]})",
            "corpus": f"{self.manifest.corpus_sha256[:12]}: {self.documents:,} documents, "
            f"{self.chunks:,} chunks, {self.tokens:,} tokens",
            "states": f"{len(self.manifest.layers)} layers in {self.manifest.dtype}, codec "
            f"{self.manifest.codec}, {self.shards:,} shards of {self.manifest.shard_tokens:,} "
            f"tokens, chunks of {self.manifest.chunk_tokens:,}",
            "size": f"{self.stored_bytes / 1e6:,.1f} MB on disk, states {self.raw_bytes / 1e6:,.1f}"
            f" MB, ratio {self.raw_bytes / stored:.2f}",
            "written by": f"latentcomp {self.manifest.code_version}",
        }
        for layer, numbers in zip(self.manifest.layers, self.statistics, strict=False):
            norm = " after the norm" if layer.post_norm else ""
            facts[f"layer {layer.blocks_completed}{norm}"] = (
                f"mean {numbers.mean:+.4g}, {_sizes(numbers, teacher.hidden_size)}"
            )
        width = max(map(len, facts))
        return tuple(f"{name:<{width}}  {fact}" for name, fact in facts.items())


def describe(path: Path | str | Place) -> StoreInfo:
    """Summarise a store, finished or not; no states are read.

    Raises:
        StoreError: there is no store, or what describes it is damaged.
    """
    store = place_of(path)
    if not is_store(store):
        raise StoreError(f"{store}: no feature store here: write one with `extract`")
    manifest = ledger.read_sealed(store, MANIFEST, Manifest)
    sealed = seal.read_seal(store) if exists(store, SEAL) else None
    table = DocumentTable(store)
    layout = Layout(manifest, sealed.tokens if sealed else table.tokens)
    records = ShardTable() if sealed else ledger.committed(store)
    tokens = layout.tokens if sealed else sum(map(records.tokens, records))
    return StoreInfo(
        path=str(store),
        complete=sealed is not None,
        documents=table.documents,
        chunks=table.chunks,
        tokens=layout.tokens,
        shards=layout.shards,
        committed_shards=sealed.shards if sealed else len(records),
        raw_bytes=tokens * layout.states.columns * layout.states.row_bytes,
        stored_bytes=sealed.shard_bytes if sealed else sum(sum(records.sizes(s)) for s in records),
        manifest=manifest,
        statistics=sealed.statistics if sealed else _statistics(store, layout, records),
    )


def _statistics(store: Place, layout: Layout, records: ShardTable) -> tuple[LayerStatistics, ...]:
    return seal.combine(store, layout, records) if records else ()


def _without_outliers(numbers: LayerStatistics, hidden: int) -> float | None:
    """Root mean square of the dimensions that are not listed as outliers; None where all are."""
    rest = hidden - len(numbers.outliers)
    if rest <= 0:
        return None
    squares = numbers.rms**2 * hidden - sum(outlier.rms**2 for outlier in numbers.outliers)
    return math.sqrt(max(0.0, squares) / rest)


def _sizes(numbers: LayerStatistics, hidden: int) -> str:
    """Size of the states of a layer and, for a lossy codec, what was lost, in words.

    Where a few dimensions make most of the size, so does usually one token of each document, an
    attention sink. The size without them is that of the other tokens, more or less. The loss
    without them is not: it is that of the sink's other dimensions.
    """
    without = _without_outliers(numbers, hidden)
    few = without is not None and numbers.rms > FEW_DIMENSIONS * without
    top = ", ".join(f"{o.dimension} ({o.rms:.3g})" for o in numbers.outliers[:3])
    rest = f" ({without:.4g} without the {len(numbers.outliers)} largest dimensions)" if few else ""
    text = f"RMS {numbers.rms:.4g}{rest}, largest {numbers.max_abs:.4g}, top dimensions (RMS) {top}"
    if numbers.lost is None:
        return text
    others = f" ({numbers.lost.relative_error_without_outliers:.2%} without outliers)"
    return f"{text}, lost {numbers.lost.relative_error:.2%}{'' if few else others}"
