"""Rows of a plain shard out of mapped memory: copied, and every chunk checked on its first read.

What is checked is the copy, with what surrounds it in its chunk: memory is read once, and what is
handed out is what was checked. All in the thread that reads: a second one that checks what this
one copies was tried on two cores, and reads took longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..format.checksum import crc32c as crc
from ..format.shards import RESIDUE, Bytes2D, Bytes3D, Grid

Verified = list[bytearray]
"""Per column a byte per chunk, not zero for those that this process has checked."""


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
    """Kept up."""
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
        places = [self._place(chunk) for chunk in range(self.first // size, -(-self._stop // size))]
        for columns, out in self._together():
            chunks = self.chunks[columns.start : columns.stop]
            for chunk, target, source in places:
                copy = out[:, target]
                copy[:] = chunks[:, chunk, source]
                self._check(chunk, source, columns, copy)

    def _together(self) -> list[tuple[range, Bytes2D]]:
        """Columns that are copied by one call, with their part of `out`: all if they are
        neighbours. Calls for less take longer than the copying that they save."""
        neighbours = range(self.columns[0], self.columns[0] + len(self.columns))
        if list(self.columns) == list(neighbours):
            return [(neighbours, self.out)]
        return [(range(c, c + 1), self.out[i : i + 1]) for i, c in enumerate(self.columns)]

    def _check(self, chunk: int, source: slice, columns: range, copy: Bytes2D) -> None:
        """Check a chunk of some columns where this was not done before: the part of it that was
        copied in the copy, which is still near."""
        for column, copied in zip(columns, copy, strict=True):
            known = self.verified[column]
            if known[chunk]:
                continue
            data = self.chunks[column, chunk]
            value = crc(data[: source.start].data) if source.start else 0
            if crc(data[source.stop :].data, crc(copied.data, value)) != RESIDUE:
                raise ColumnError(column, "the chunk fails its checksum")
            known[chunk] = 1

    @property
    def _stop(self) -> int:
        rows: int = self.out.shape[1] // self.grid.row_bytes
        return self.first + rows

    def _place(self, chunk: int) -> tuple[int, slice, slice]:
        """A chunk, the bytes of a column of `out`, and those of the chunk that belong there."""
        width, before = self.grid.row_bytes, chunk * self.grid.chunk_tokens
        begin = max(self.first, before)
        stop = min(self._stop, before + self.grid.chunk_tokens)
        target = slice((begin - self.first) * width, (stop - self.first) * width)
        return chunk, target, slice((begin - before) * width, (stop - before) * width)
