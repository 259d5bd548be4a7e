"""Rows of a plain shard out of mapped memory: copied, and every chunk checked on its first read.

What is checked is the copy, with what surrounds it in its chunk: memory is read once, and what is
handed out is what was checked. All in the thread that reads: a second one that checks what this
one copies was tried on two cores, and reads took longer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crc32c import crc32c as crc

from .shards import RESIDUE, Bytes2D, Bytes3D, Grid

Verified = list[bytearray]
"""Per column a byte per chunk, not zero for those that this process has checked."""

_AT_ONCE = 8 * 2**20
"""Bytes that are copied and checked before the next ones are looked at: they stay in the cache."""


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
        low, high = self.first // size, -(-self._stop // size)
        step = max(1, _AT_ONCE // (len(self.columns) * self.grid.chunk_bytes))
        for start in range(low, high, step):
            stop = min(start + step, high)
            if self._known(start, stop):
                self._copy(range(start, stop))
            else:
                self._copy_and_check(start, stop)

    def _known(self, low: int, high: int) -> bool:
        return all(self.verified[column].find(0, low, high) < 0 for column in self.columns)

    def _copy(self, chunks: range) -> None:
        for rows, columns in self._together():
            for chunk in chunks:
                target, source = self._place(chunk)
                self.out[rows, target] = self.chunks[columns, chunk, source]

    def _together(self) -> Iterator[tuple[slice, slice]]:
        """Rows of `out` and columns that one copy can serve."""
        first, count = self.columns[0], len(self.columns)
        if list(self.columns) == list(range(first, first + count)):
            yield slice(0, count), slice(first, first + count)
        else:
            for row, column in enumerate(self.columns):
                yield slice(row, row + 1), slice(column, column + 1)

    def _copy_and_check(self, low: int, high: int) -> None:
        """Chunk by chunk, so that a copy is still near when it is checked."""
        places = [self._place(chunk) for chunk in range(low, high)]
        for column, out in zip(self.columns, self.out, strict=True):
            known, chunks = self.verified[column], self.chunks[column, low:high]
            for chunk, (target, source) in enumerate(places):
                data, copy = chunks[chunk], out[target]
                copy[:] = data[source]
                if known[low + chunk]:
                    continue
                value = crc(data[: source.start]) if source.start else 0
                if crc(data[source.stop :], crc(copy, value)) != RESIDUE:
                    raise ColumnError(column, "the chunk fails its checksum")
                known[low + chunk] = 1

    @property
    def _stop(self) -> int:
        rows: int = self.out.shape[1] // self.grid.row_bytes
        return self.first + rows

    def _place(self, chunk: int) -> tuple[slice, slice]:
        """Bytes of a column of `out`, and those of the chunk that belong there."""
        width, before = self.grid.row_bytes, chunk * self.grid.chunk_tokens
        begin = max(self.first, before)
        stop = min(self._stop, before + self.grid.chunk_tokens)
        target = slice((begin - self.first) * width, (stop - self.first) * width)
        return target, slice((begin - before) * width, (stop - before) * width)
