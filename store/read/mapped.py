"""Rows of a plain shard from mapped memory: copied, and every chunk checked on its first read.

The checksum is computed over the copied rows and the rest of their chunk, so memory is read once
and the bytes that are returned are those that were checked. One thread copies and checks: a second
thread for the checks was tried on two cores and made reads slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..format.checksum import crc32c as crc
from ..format.shards import RESIDUE, Bytes2D, Bytes3D, Grid

Verified = list[bytearray]
"""Per column one byte per chunk, nonzero once this process has checked it."""


class ColumnError(ValueError):
    """Damage in one column."""

    def __init__(self, column: int, reason: str) -> None:
        """In column `column`, because of `reason`."""
        super().__init__(reason)
        self.column = column


@dataclass(frozen=True, eq=False, slots=True)
class MappedRows:
    """One read: rows of some columns, from `first` on."""

    grid: Grid
    chunks: Bytes3D
    """[columns, chunks, bytes with the checksum] of the shard, see `shards.plain_chunks`."""
    verified: Verified
    """Updated by `fill`."""
    columns: Sequence[int]
    first: int
    out: Bytes2D
    """[columns read, bytes of the rows]"""

    def fill(self) -> None:
        """Fill `out`.

        Raises:
            ColumnError: a chunk fails its checksum.
        """
        size = self.grid.chunk_tokens
        touched = range(self.first // size, -(-self._stop // size))
        slices = [self._slices(chunk) for chunk in touched]
        for columns, out in self._groups():
            chunks = self.chunks[columns.start : columns.stop]
            for chunk, target, source in slices:
                copy = out[:, target]
                copy[:] = chunks[:, chunk, source]
                self._check(chunk, source, columns, copy)

    def _groups(self) -> list[tuple[range, Bytes2D]]:
        """Columns that one call copies, with their part of `out`: all if they are adjacent.

        Smaller groups cost more in calls than they save in copying.
        """
        neighbours = range(self.columns[0], self.columns[0] + len(self.columns))
        if list(self.columns) == list(neighbours):
            return [(neighbours, self.out)]
        return [(range(c, c + 1), self.out[i : i + 1]) for i, c in enumerate(self.columns)]

    def _check(self, chunk: int, source: slice, columns: range, copy: Bytes2D) -> None:
        """Check a chunk of some columns unless it was checked before.

        The copied part is read from the copy, which is still in the CPU cache.
        """
        for column, copied in zip(columns, copy, strict=True):
            verified = self.verified[column]
            if verified[chunk]:
                continue
            data = self.chunks[column, chunk]
            value = crc(data[: source.start].data) if source.start else 0
            if crc(data[source.stop :].data, crc(copied.data, value)) != RESIDUE:
                raise ColumnError(column, "the chunk fails its checksum")
            verified[chunk] = 1

    @property
    def _stop(self) -> int:
        rows: int = self.out.shape[1] // self.grid.row_bytes
        return self.first + rows

    def _slices(self, chunk: int) -> tuple[int, slice, slice]:
        """A chunk, its target bytes in a column of `out`, and its source bytes in the chunk."""
        width, before = self.grid.row_bytes, chunk * self.grid.chunk_tokens
        begin = max(self.first, before)
        stop = min(self._stop, before + self.grid.chunk_tokens)
        target = slice((begin - self.first) * width, (stop - self.first) * width)
        return chunk, target, slice((begin - before) * width, (stop - before) * width)
