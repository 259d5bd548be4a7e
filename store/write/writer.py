"""Writing a store: whole shards, each durable before the ledger lists it."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch

from ...common.errors import StoreBusyError
from ...common.index_set import IndexSet
from ...common.lock import LockHandle
from ..format.documents import Documents
from ..format.dtypes import Bits
from ..format.entry import Entry
from ..format.identity import check_same
from ..format.layout import Layout
from ..format.placement import Piece, part_of, place_documents
from ..format.schema import DocumentEntry, Integers, Manifest
from ..places.open import place_of
from ..places.protocol import Place
from .committed import Committed
from .pipeline import ShardPipeline, default_encoders
from .session import check_committed, committed_tokens, finish, read_prefix, write_metadata

_GLANCE = 1.0
"""Seconds for which a look at a shared ledger will do, before a writer is entered."""
_WAITS = 30
"""How often a writer that has committed everything waits for its turn to look, a minute each."""


class StoreWriter:
    """Writes the states of documents, in order, into a store that can be killed and resumed.

    Use it as a context manager: entering locks the folder and writes the metadata, leaving
    commits the last shards and seals the store once every shard is there. While one shard fills,
    others are encoded, written and committed in the background; a slow disk blocks `write`, so
    memory is bounded by `encoders` shards and one more.
    """

    def __init__(
        self,
        path: Path | str | Place,
        manifest: Manifest,
        entries: Iterable[DocumentEntry | Entry] | Documents,
        *,
        name: str = "latentcomp extract",
        extend: bool = False,
        rank: int = 0,
        world: int = 1,
        encoders: int | None = None,
        committed: Committed | None = None,
    ) -> None:
        """Check the request against the store at `path`, if any; nothing is written yet.

        Args:
            path: folder or address of the store, new, empty, or begun by the same request.
            manifest: what the store holds.
            entries: every document, in the order of the store. One with the tokens of an
                earlier one is stored once and never pending.
            name: command that writes, for the message to a second writer.
            extend: let a store grow: the corpus may differ if its documents begin with those of
                the store.
            rank: of this writer among `world` that fill one store together, each in a process
                of its own with its own shards; the last to finish seals the store.
            world: number of writers.
            encoders: shards that are encoded concurrently; None: `default_encoders()`.
            committed: what other writers of this process have read of the ledger of this place.

        Raises:
            StoreError: no documents; `path` is something else, or a store of another teacher,
                layers, dtype, corpus and so on (names the field and both values).
        """
        self.place = place_of(path)
        self.manifest = manifest
        self._name, self._extend = name, extend
        self._encoders = encoders or default_encoders()
        self._documents = entries if isinstance(entries, Documents) else Documents(entries)
        self._placement = place_documents(self._documents, manifest.shard_tokens)
        self._layout = Layout(manifest, self._placement.tokens)
        self._shards = part_of(self._layout.shards, rank, world)
        self._single = world == 1
        self._filling = -1
        self._ledger = committed or Committed(self.place)
        check_same(self.place, manifest, extend)
        self._load(max_age=_GLANCE)

    def __enter__(self) -> Self:
        self.place.prepare()
        with self.place.mutex():
            shards = None if self._single else self._shards
            self._lock: LockHandle = self.place.lock(self._name, shards)
            try:
                check_same(self.place, self.manifest, self._extend)
                if self._lock.sole_writer:
                    self.place.remove_partials()
                self._load()
                self._check_committed()
                write_metadata(self.place, self._layout, self._documents, self._placement)
                self._pipeline = ShardPipeline(
                    self.place,
                    self._layout,
                    self._documents,
                    self._placement,
                    self._committed,
                    frozenset(self._shards) & self._ledger.records.keys(),
                    self._encoders,
                )
                self._buffer: Bits = self._pipeline.allocate()
            except BaseException:
                self._lock.release()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._pipeline.close()
            if kind is None:
                self._pipeline.check()
                self._finish()
        finally:
            self._lock.release()

    def _finish(self) -> None:
        """Seal the store if every shard is committed, also those of other writers.

        Of several that end together one seals, which takes minutes at an address; the others wait.
        """
        for wait in range(_WAITS, 0, -1):
            try:
                with self.place.mutex():
                    self._load()
                    if self.complete:
                        self._load(again=True)
                        finish(self.place, self._layout, self._documents, self._ledger.records)
                    return
            except StoreBusyError:
                if wait == 1:
                    raise

    @property
    def complete(self) -> bool:
        """True if every shard of the store is committed, also those of other writers."""
        return int(self._committed.sum()) == self._layout.tokens

    def pending(self) -> tuple[int, ...]:
        """Indices of the entries that are not committed yet, ascending.

        After a kill these are all documents that touch an uncommitted shard, so a document may
        be pending again although an earlier part of it is already committed.
        """
        return tuple(self._pending().tolist())

    def pending_set(self) -> IndexSet:
        """The same as a set that takes little memory."""
        return IndexSet(len(self._documents), self._pending())

    def first_pending(self) -> int:
        """The first index of `pending`, or the number of entries if nothing is pending.

        Called once a shard, it does not look at all documents: shards become durable in order.
        """
        own, states = self._shards, self._layout.states
        while self._open < own.stop and (
            self._committed[self._open] == states.shard_length(self._open)
        ):
            self._open += 1
        if self._open >= own.stop:
            return len(self._documents)
        token = self._open * states.shard_tokens + int(self._committed[self._open])
        return self._placement.own_index(token)

    def _pending(self) -> Integers:
        """As if all shards of other writers were committed."""
        states, own = self._layout.states, self._shards
        owned = np.full(self._layout.shards, states.shard_tokens, np.int64)
        owned[-1] = states.shard_length(len(owned) - 1)
        owned[own.start : own.stop] = self._committed[own.start : own.stop]
        return self._placement.pending(owned)

    def write(self, index: int, states: torch.Tensor) -> None:
        """Add the states of the next pending document.

        Args:
            index: of the entry; ascending from call to call, none of `pending()` left out.
            states: [tokens, layers, hidden], layers as in the manifest, any floating type and
                device; rounded to the manifest's dtype if it is another one.

        Raises:
            StoreError: a value is NaN or infinite (names document and layer); the disk is full.
                Raised when the shard is committed: at a later call, or on leaving.
            ValueError: out of order, or of another shape.
        """
        if self._next >= len(self._todo) or index != self._todo[self._next]:
            raise ValueError(f"document {index} is not the next one of pending()")
        self._next += 1
        shape = (
            int(self._documents.lengths[index]),
            len(self.manifest.layers),
            self._layout.hidden,
        )
        if tuple(states.shape) != shape:
            name = self._documents[index].document_id
            raise ValueError(f"states of {name!r}: {tuple(states.shape)} != {shape}")
        bits = self._layout.dtype.to_bits(states)
        for piece in self._placement.pieces(index):
            self._copy(piece, bits)

    def _copy(self, piece: Piece, bits: Bits) -> None:
        """Copy part of a document into the buffer of its shard, and submit the shard if full."""
        end = piece.target + piece.tokens
        if self._committed[piece.shard] >= end or piece.shard not in self._shards:
            return
        if piece.shard != self._filling:
            self._begin(piece.shard)
        source = bits[piece.source : piece.source + piece.tokens]
        self._buffer[:, piece.target : end] = source.transpose(1, 0, 2)
        if end == self._layout.states.shard_length(piece.shard):
            self._buffer = self._pipeline.submit(piece.shard, self._buffer)

    def _begin(self, shard: int) -> None:
        """Start filling a shard, with its committed tokens if the store is being extended."""
        self._filling = shard
        if self._committed[shard]:
            record = self._ledger.records[shard]
            read_prefix(self.place, self._layout, record, self._buffer)

    def _check_committed(self) -> None:
        records = self._ledger.records
        own = (records[shard] for shard in self._shards if shard in records)
        check_committed(self.place, self._layout, own, self._documents, self._placement)

    def _load(self, *, max_age: float = 0.0, again: bool = False) -> None:
        """Read the ledger and start from it; see `Committed.look`."""
        records = self._ledger.look(max_age=max_age, again=again)
        self._committed: Integers = committed_tokens(self._layout, records)
        self._todo: Integers = self._pending()
        self._next, self._open = 0, self._shards.start
