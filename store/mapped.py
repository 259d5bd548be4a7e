"""Rows of a plain shard out of mapped memory: copied, and every chunk checked on its first read.

All in the thread that reads. A second one that shares the work was tried: where another process
wants its core, the reader waits for it, and reads took twice as long.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crc32c import crc32c as crc

from .shards import RESIDUE, Bytes1D, Bytes2D, Bytes3D, Grid

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
                self._copy_and_check(range(start, stop))

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

    def _copy_and_check(self, chunks: range) -> None:
        for chunk in chunks:
            target, source = self._place(chunk)
            for column, out in zip(self.columns, self.out, strict=True):
                data, copy = self.chunks[column, chunk], out[target]
                copy[:] = data[source]
                if not self.verified[column][chunk]:
                    self._check_copy(column, chunk, data, source, copy)

    def _check_copy(
        self, column: int, chunk: int, data: Bytes1D, source: slice, copy: Bytes1D
    ) -> None:
        """Check what was copied with what surrounds it: memory is read once, and what is handed
        out is what was checked."""
        value = crc(data[: source.start].data) if source.start else 0
        value = crc(data[source.stop :].data, crc(copy.data, value))
        if value != RESIDUE:
            raise ColumnError(column, "the chunk fails its checksum")
        self.verified[column][chunk] = 1

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
