"""One open shard: rows of some columns, checked on their first read, copied once."""

import itertools
import operator
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..format.checksum import crc32c as crc
from ..format.shards import (
    CRC_BYTES,
    HEADER_BYTES,
    RESIDUE,
    Bytes1D,
    Bytes2D,
    Bytes3D,
    Grid,
    decode_chunk,
    decode_index,
    header,
    plain_chunks,
    plain_index,
)
from ..places.parts import PartReader, Span
from .fingerprints import Fingerprint
from .mapped import ColumnError, MappedRows, Verified

_ASK_AGAIN = 0.01
"""Seconds in which a file is not asked twice: what asking costs shows in reads of small documents,
and the time of a change is told no more exactly by many file systems."""
_local = threading.local()
_DISCARDED = memoryview(bytearray(CRC_BYTES))


@dataclass(slots=True)
class _Plan:
    """The bytes to read of one column, and the checks to make afterwards."""

    column: int
    span: Span
    checks: list[tuple[int, tuple[Bytes1D, Bytes1D, Bytes1D]]]
    """Number and pieces of every chunk that is read for the first time, checksum included."""
    low: int
    high: int
    """Chunks [low, high) hold the rows."""


class ShardFile:
    """A shard opened for reading. Threads may share it; closed when no longer referenced."""

    def __init__(
        self,
        file: PartReader,
        grid: Grid,
        owner: str,
        shard: int,
        verified: Verified | None,
        sha256: str,
    ) -> None:
        """Check the header and the index of a shard.

        Args:
            file: the file.
            grid: geometry of its array.
            owner: SHA-256 in hex of the manifest it must belong to.
            shard: its number.
            verified: per column one byte per chunk, nonzero for those that this process has
                checked before; updated. None: check every chunk on every read.
            sha256: fingerprint that the ledger has.

        Raises:
            OSError: unreadable.
            ValueError: damaged, truncated, or another shard in its place.
        """
        self._grid = grid
        self._verified = verified
        self._file = file
        self._asked = time.monotonic()
        self._mapped: Bytes3D | None = None
        if file.size < HEADER_BYTES + grid.index_bytes:
            raise ValueError(f"the file is cut off at {file.size} bytes")
        first, last = bytearray(HEADER_BYTES), bytearray(grid.index_bytes)
        at_end = Span(file.size - grid.index_bytes, [memoryview(last)])
        file.read([Span(0, [memoryview(first)]), at_end])
        self._used, table = grid.used_chunks(shard), bytes(last)
        # Plain lists: a document takes a handful of look-ups, which numpy makes slow.
        self._offsets: list[list[int]] = []
        self._lengths: list[list[int]] = []
        if not grid.codec.plain or table != plain_index(grid, self._used):
            index = decode_index(grid, shard, table, file.size)
            self._offsets, self._lengths = index.offsets.T.tolist(), index.lengths.T.tolist()
            if grid.codec.plain:
                raise ValueError("the index names chunks of another length")
        elif file.size != self._offset(grid.columns, 0) + len(table):
            raise ValueError(f"the file has {file.size} bytes, not those of its chunks")
        if first != header(owner, shard):
            raise ValueError("the header is of another shard or another store")
        self._fingerprint = Fingerprint(bytes(first), table, grid.columns * self._used, sha256)
        checksums = file.gather(self._all_ends(), CRC_BYTES)
        self._gathers = checksums is None
        if checksums is not None:
            self._fingerprint.add_all(checksums)

    def changed(self) -> bool:
        """True if the file was written to since it was opened, as far as asked. Raises: OSError."""
        now = time.monotonic()
        if now - self._asked < _ASK_AGAIN:
            return False
        self._asked = now
        return self._file.changed()

    def read_rows(self, columns: Sequence[int], first: int, out: Bytes2D) -> None:
        """Fill `out` [columns, bytes of the rows] with rows from `first` on.

        Raises:
            OSError: the disk fails.
            ColumnError: damaged.
        """
        if not self._grid.codec.plain:
            for column, rows in zip(columns, out, strict=True):
                self._read_encoded(column, first, rows.reshape(-1, self._grid.row_bytes))
            return
        low, high = self._chunks(first, out.shape[1] // self._grid.row_bytes)
        memory = self._file.memory([self._ends(column, low, high) for column in columns])
        if memory is None:
            self._read_plain(columns, first, out)
            return
        if self._mapped is None:
            self._mapped = plain_chunks(self._grid, self._used, memory)
        verified = self._verified
        if verified is None:
            verified = [bytearray(self._used) for _ in range(self._grid.columns)]
        MappedRows(self._grid, self._mapped, verified, columns, first, out).fill()

    def _offset(self, column: int, chunk: int) -> int:
        """Offset of a chunk of a plain shard, which is the end of the one before it."""
        return HEADER_BYTES + (column * self._used + chunk) * self._grid.stored_bytes

    def _all_ends(self) -> list[int]:
        """Ends of all chunks, column by column."""
        if not self._grid.codec.plain:
            offsets = itertools.chain.from_iterable(self._offsets)
            lengths = itertools.chain.from_iterable(self._lengths)
            return list(map(operator.add, offsets, lengths))
        first, step = self._offset(0, 1), self._grid.stored_bytes
        return list(range(first, first + self._grid.columns * self._used * step, step))

    def _ends(self, column: int, low: int, high: int) -> range:
        """Ends of chunks [low, high) of a plain shard."""
        first, step = self._offset(column, low + 1), self._grid.stored_bytes
        return range(first, first + (high - low) * step, step)

    def _read_encoded(self, column: int, first: int, out: Bytes2D) -> None:
        size = self._grid.chunk_tokens
        low, high = self._chunks(first, len(out))
        lengths = self._lengths[column][low:high]
        data = np.empty(sum(lengths), np.uint8)
        self._read([Span(self._offsets[column][low], [data.data])], column)
        start = 0
        for chunk, length in zip(range(low, high), lengths, strict=True):
            try:
                rows = decode_chunk(self._grid, data[start : start + length].tobytes())
            except ValueError as error:
                raise ColumnError(column, str(error)) from error
            self._note(column, chunk, data[start + length - CRC_BYTES : start + length])
            begin, stop = max(first, chunk * size), min(first + len(out), (chunk + 1) * size)
            out[begin - first : stop - first] = rows[begin - chunk * size : stop - chunk * size]
            start += length
        self._mark(column, low, high)

    def _read_plain(self, columns: Sequence[int], first: int, out: Bytes2D) -> None:
        """Read directly into `out`; the rest of the chunks goes to scratch memory."""
        low, high = self._chunks(first, out.shape[1] // self._grid.row_bytes)
        if self._all_verified(columns, low, high):
            spans = [
                self._verified_span(column, first, low, high, rows)
                for column, rows in zip(columns, out, strict=True)
            ]
            self._read(spans, columns[0])
            return
        each = 2 * (self._grid.chunk_bytes + CRC_BYTES) + (high - low) * CRC_BYTES
        scratch = _scratch(each * len(columns))
        plans = [
            self._plan(column, first, low, high, rows, scratch[i * each : (i + 1) * each])
            for i, (column, rows) in enumerate(zip(columns, out, strict=True))
        ]
        self._read([plan.span for plan in plans], columns[0])
        for plan in plans:
            for chunk, pieces in plan.checks:
                value = 0
                for piece in pieces:
                    value = crc(piece.data, value)
                if value != RESIDUE:
                    raise ColumnError(plan.column, "the chunk fails its checksum")
                self._note(plan.column, chunk, pieces[-1][-CRC_BYTES:])
            self._mark(plan.column, low, high)

    def _all_verified(self, columns: Sequence[int], low: int, high: int) -> bool:
        """True if all these chunks were checked before."""
        if self._verified is None:
            return False
        return all(self._verified[column].find(0, low, high) < 0 for column in columns)

    def _verified_span(self, column: int, first: int, low: int, high: int, target: Bytes1D) -> Span:
        """The rows only, with the checksums between them."""
        step = self._grid.chunk_bytes
        start = (first - low * self._grid.chunk_tokens) * self._grid.row_bytes
        parts, done = [target[: step - start].data], step - start
        for _ in range(low + 1, high):
            parts.append(_DISCARDED)
            parts.append(target[done : done + step].data)
            done += step
        return Span(self._offset(column, low) + start, parts)

    def _plan(
        self, column: int, first: int, low: int, high: int, target: Bytes1D, scratch: Bytes1D
    ) -> _Plan:
        """Verified chunks are read only where rows are wanted, the others whole."""
        size, width = self._grid.chunk_tokens, self._grid.row_bytes
        # A copy: another thread may be checking the same chunks.
        verified = bytes(high) if self._verified is None else bytes(self._verified[column])
        rows = len(target) // width
        parts: list[memoryview] = []
        checks = []
        used = done = 0
        start = first - low * size
        offset = self._offset(column, low) + (start * width if verified[low] else 0)
        for chunk in range(low, high):
            begin = start if chunk == low else 0
            stop = min(first + rows - chunk * size, size)
            head = 0 if verified[chunk] else begin * width
            more = (size - stop) * width + CRC_BYTES
            if verified[chunk] and chunk == high - 1:
                more = 0
            end = done + (stop - begin) * width
            pieces = (
                scratch[used : used + head],
                target[done:end],
                scratch[used + head : used + head + more],
            )
            used, done = used + head + more, end
            parts += [piece.data for piece in pieces if len(piece)]
            if not verified[chunk]:
                checks.append((chunk, pieces))
        return _Plan(column, Span(offset, parts), checks, low, high)

    def _chunks(self, first: int, rows: int) -> tuple[int, int]:
        size = self._grid.chunk_tokens
        return first // size, -(-(first + rows) // size)

    def _read(self, spans: Sequence[Span], column: int) -> None:
        try:
            self._file.read(spans)
        except ValueError as error:
            raise ColumnError(column, str(error)) from error

    def _note(self, column: int, chunk: int, checksum: Bytes1D) -> None:
        """Keep the checksum of a chunk that was read, where they could not be gathered."""
        if self._gathers:
            try:
                self._fingerprint.add(column * self._used + chunk, checksum.tobytes())
            except ValueError as error:
                raise ColumnError(column, str(error)) from error

    def _mark(self, column: int, low: int, high: int) -> None:
        if self._verified is not None:
            self._verified[column][low:high] = b"\1" * (high - low)


def _scratch(size: int) -> Bytes1D:
    """Reused memory of this thread: allocating it costs as much as the read."""
    memory: Bytes1D | None = getattr(_local, "memory", None)
    if memory is None or len(memory) < size:
        memory = _local.memory = np.empty(size, np.uint8)
    return memory
