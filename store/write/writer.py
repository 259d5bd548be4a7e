"""Writing a store: whole shards, each durable before the ledger says so."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch

from ...common.atomic import json_text, parquet_bytes
from ...common.errors import StoreError
from ...common.lock import LockHandle
from ...common.threads import cores
from ..format import ledger, seal, tables
from ..format.dtypes import Bits
from ..format.identity import check_same, owner_sha256
from ..format.layout import MANIFEST, SEAL, Layout
from ..format.ledger import ShardRecord
from ..format.placement import Piece, part_of, place, tokens_between
from ..format.schema import DocumentEntry, Integers, Manifest
from ..format.shards import decode_shard
from ..places.open import place_of
from ..places.protocol import Place, exists
from .commit import NotFiniteError, stage_shard
from .committer import Committer

_BACKLOG = 4
"""Shards that are written and wait to be durable; each a share of the system's file cache."""


def encoders() -> int:
    """Shards that are encoded and written at once, if nobody says otherwise: a fast teacher needs
    several cores for that, and each shard takes its memory."""
    return max(2, min(4, cores() // 2))


def most_in_flight() -> int:
    """Shards that such a writer has taken and that may not be durable yet, without the one that
    is filling."""
    return encoders() + _BACKLOG


@dataclass(frozen=True, slots=True)
class _Encoding:
    """A shard that is being written."""

    shard: int
    task: Future[Future[None]]
    """Done when the shard is written; what it gives, when it is durable."""
    buffer: Bits


class StoreWriter:
    """Writes the states of documents, in order, into a store that can be killed and resumed.

    Use it as a context manager: entering locks the folder and writes what is known beforehand,
    leaving commits what is left and seals the store once every shard is there. While a shard
    fills, `at_once` others are encoded and written in the background, and a few that are written
    become durable; a slow disk holds `write` up, so memory stays at `at_once` shards and one more.
    """

    def __init__(
        self,
        path: Path | str | Place,
        manifest: Manifest,
        entries: Sequence[DocumentEntry | tables.Entry],
        *,
        name: str = "latentcomp extract",
        extend: bool = False,
        rank: int = 0,
        world: int = 1,
        at_once: int | None = None,
    ) -> None:
        """Check the request against what lies at `path`; nothing is written yet.

        Args:
            path: folder or address of the store, new, empty, or begun by the same request.
            manifest: what the store holds.
            entries: every document, in the order of the store. One with the tokens of an
                earlier one is stored once and never pending.
            name: who writes, for the message to a second writer.
            extend: let a store grow: the corpus may be another one if its documents begin with
                those of the store (see `store.append`).
            rank: of this writer among `world` that fill one store together, each in a process
                of its own and each its own shards; whoever is last seals the store.
            world: number of writers.
            at_once: shards that are encoded and written in the background; None: `encoders()`.

        Raises:
            StoreError: no documents; `path` is something else, or a store of another teacher,
                layers, dtype, corpus and so on (names the field and both values).
        """
        self.place = place_of(path)
        self.manifest = manifest
        self._name, self._extend, self._at_once = name, extend, at_once or encoders()
        self._entries = tables.check_entries(entries)
        self._placement = place(self._entries, manifest.shard_tokens)
        self._layout = Layout(manifest, self._placement.tokens)
        self._committed: Integers = np.zeros(self._layout.shards, np.int64)
        self._shards = part_of(self._layout.shards, rank, world)
        self._everything = world == 1
        self._todo: tuple[int, ...] = ()
        self._next = 0
        self._filling = -1
        self._encodings: deque[_Encoding] = deque()
        self._written: deque[tuple[int, Future[None]]] = deque()
        self._buffer: Bits = np.empty(0, self._layout.dtype.numpy)
        check_same(self.place, manifest, extend)
        self._load()

    def __enter__(self) -> Self:
        self.place.prepare()
        with self.place.mutex():
            shards = None if self._everything else self._shards
            self._lock: LockHandle = self.place.lock(self._name, shards)
            try:
                check_same(self.place, self.manifest, self._extend)
                if self._lock.sole_writer:
                    self.place.remove_partials()
                self._load()
                self._prepare()
                self._buffer = self._allocate()
            except BaseException:
                self._lock.release()
                raise
        self._committer = Committer(self.place, _BACKLOG)
        self._pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="store-encode")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._pool.shutdown(wait=True)
            self._committer.close()
            if kind is None:
                while self._encodings:
                    self._settle()
                with self.place.mutex():
                    self._load()
                    if self.complete:
                        self._finish()
        finally:
            self._lock.release()

    @property
    def complete(self) -> bool:
        """True if every shard of the store is committed, also those of other writers."""
        return int(self._committed.sum()) == self._layout.tokens

    def pending(self) -> tuple[int, ...]:
        """Indices of the entries that are not yet safely on the disk, ascending.

        After a kill these are all documents that touch an uncommitted shard, so a document may
        be wanted again although an earlier part of it is already committed.
        """
        owned = self._committed.copy()
        sizes = [self._layout.states.shard_length(i) for i in range(self._layout.shards)]
        others = np.ones(len(owned), np.bool_)
        others[self._shards.start : self._shards.stop] = False
        owned[others] = np.array(sizes)[others]
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
        entry = self._entries[index]
        shape = (len(entry.token_ids), len(self.manifest.layers), self._layout.hidden)
        if tuple(states.shape) != shape:
            raise ValueError(f"states of {entry.document_id!r}: {tuple(states.shape)} != {shape}")
        bits = self._layout.dtype.to_bits(states)
        for piece in self._placement.pieces(index):
            self._place(piece, bits)

    def _place(self, piece: Piece, bits: Bits) -> None:
        end = piece.target + piece.tokens
        if self._committed[piece.shard] >= end or piece.shard not in self._shards:
            return
        if piece.shard != self._filling:
            self._begin(piece.shard)
        source = bits[piece.source : piece.source + piece.tokens]
        self._buffer[:, piece.target : end] = source.transpose(1, 0, 2)
        if end == self._layout.states.shard_length(piece.shard):
            task = self._pool.submit(self._write_shard, piece.shard, self._buffer)
            self._encodings.append(_Encoding(piece.shard, task, self._buffer))
            full = len(self._encodings) > self._at_once
            self._buffer = self._settle() if full else self._allocate()

    def _begin(self, shard: int) -> None:
        """Start filling a shard, with what it already holds if the store is being extended."""
        self._filling = shard
        known = int(self._committed[shard])
        if known:
            before = Layout(self.manifest, shard * self.manifest.shard_tokens + known)
            name = before.shard_files(shard)[0]
            try:
                owner = owner_sha256(self.manifest)
                columns = decode_shard(before.states, owner, shard, self.place.read(name))
            except (OSError, ValueError) as error:
                raise ledger.damaged(self.place, f"shard {shard}", str(error)) from error
            self._buffer[:, :known] = columns.view(self._layout.dtype.numpy)[:, :known]

    def _settle(self) -> Bits:
        """Wait until the oldest shard in the background is written, and note those that have
        become durable; their errors surface here.

        Returns:
            its buffer, free again.
        """
        encoding = self._encodings.popleft()
        self._written.append((encoding.shard, encoding.task.result()))
        while self._written and self._written[0][1].done():
            shard, durable = self._written.popleft()
            durable.result()
            self._committed[shard] = self._layout.states.shard_length(shard)
        return encoding.buffer

    def _write_shard(self, shard: int, buffer: Bits) -> Future[None]:
        start = shard * self.manifest.shard_tokens
        stop = start + self._layout.states.shard_length(shard)
        ids = tokens_between(self._entries, self._placement, start, stop)
        record = ledger.record_name(shard)
        if exists(self.place, record):  # of a shorter version, which goes now
            self.place.remove(record)
        try:
            staged = stage_shard(self.place, self._layout, shard, buffer, ids)
        except NotFiniteError as error:
            raise self._not_finite(error.column, start + error.row) from error
        return self._committer.add(staged)

    def _not_finite(self, column: int, token: int) -> StoreError:
        stops = self._placement.stops[self._placement.own]
        index = self._placement.own[np.searchsorted(stops, token, side="right")]
        return StoreError(
            f"{self.place}: document {self._entries[index].document_id!r}, layer after "
            f"{self.manifest.layers[column].blocks_completed} blocks: a state is NaN or infinite "
            f"in {self.manifest.dtype}: check the teacher's dtype and weights"
        )

    def _prepare(self) -> None:
        """Write everything that is known before the first state; the manifest first."""
        texts = {MANIFEST: ledger.sealed_text(self.manifest)}
        texts |= {name: json_text(content) for name, content in self._layout.metadata().items()}
        stale = {name: text for name, text in texts.items() if not self._holds(name, text)}
        starts = self._placement.starts
        plan = tables.plan_tables(self.place, self._entries, starts, self._extend)
        if (stale or plan) and exists(self.place, SEAL):
            seal.break_seal(self.place)
        for name, text in stale.items():
            self.place.write(name, [text.encode()])
        for name, groups in plan.items():
            self.place.write(name, [parquet_bytes(groups)])

    def _holds(self, name: str, text: str) -> bool:
        try:
            return self.place.read(name) == text.encode()
        except FileNotFoundError:
            return False

    def _load(self) -> None:
        """Read the ledger, and start from what it says."""
        self._committed[:] = 0
        for shard, record in seal.recorded(self.place).items():
            self._check_files(record)
            whole = record.tokens == self._layout.states.shard_length(shard)
            # What was quantised cannot be quantised again with the same result.
            if shard < self._layout.shards and (whole or self._layout.encoding.exact):
                self._committed[shard] = record.tokens
        self._todo = self.pending()
        self._next = 0

    def _allocate(self) -> Bits:
        grid = self._layout.states
        rows = min(grid.shard_tokens, -(-grid.tokens // grid.chunk_tokens) * grid.chunk_tokens)
        shape = (grid.columns, rows, self._layout.hidden)
        return np.empty(shape, self._layout.dtype.numpy)

    def _check_files(self, record: ShardRecord) -> None:
        for file in record.files:
            size = self.place.size(file.path)
            if size != file.bytes:
                found = "is missing" if size is None else f"has {size} of {file.bytes} bytes"
                raise StoreError(
                    f"{self.place.at(file.path)}: shard {record.shard} was committed but its file "
                    f"{found}: delete the store and extract again"
                )

    def _finish(self) -> None:
        if exists(self.place, SEAL):
            seal.remove_records(self.place)
            return
        self.place.remove_partials()  # of writers that were killed; the living have nothing left
        chunks = sum(len(entry.days) for entry in self._entries)
        seal.write_seal(self.place, self._layout, len(self._entries), chunks)
