"""One open shard: rows of one column, checked on their first read, copied once."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .shards import (
    CRC_BYTES,
    HEADER_BYTES,
    Bytes2D,
    Grid,
    ShardIndex,
    decode_chunk,
    decode_index,
    header,
)

_MAX_VECTORS = 512  # the kernel takes 1,024 per call; two for every chunk

Verified = npt.NDArray[np.bool_]


class ShardFile:
    """A shard opened for reading. Threads may share it; it is closed when nobody holds it."""

    def __init__(
        self, path: Path, grid: Grid, owner: str, shard: int, verified: Verified | None
    ) -> None:
        """Open a shard and check its header and index.

        Args:
            path: the file.
            grid: geometry of its array.
            owner: SHA-256 in hex of the manifest it must belong to.
            shard: its number.
            verified: [chunks, columns] chunks that this process has checked before; kept up.
                None checks every chunk on every read.

        Raises:
            OSError: missing or unreadable.
            ValueError: damaged, truncated, or another shard in its place.
        """
        self._grid = grid
        self._verified = verified
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        size = os.fstat(self._descriptor).st_size
        if size < HEADER_BYTES + grid.index_bytes:
            raise ValueError(f"the file is cut off at {size} bytes")
        data = self._read(size - grid.index_bytes, grid.index_bytes)
        self._index: ShardIndex = decode_index(grid, shard, data, size)
        if self._read(0, HEADER_BYTES) != header(owner, shard):
            raise ValueError("the header is of another shard or another store")

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read_rows(self, column: int, first: int, out: Bytes2D) -> None:
        """Fill `out` [rows, row_bytes] with the rows of a column from `first` on.

        Raises:
            OSError: the disk fails.
            ValueError: damaged.
        """
        low = first // self._grid.chunk_tokens
        high = -(-(first + len(out)) // self._grid.chunk_tokens)
        known = self._verified is not None and self._verified[low:high, column].all()
        if known and self._grid.codec.plain:
            self._read_straight(column, first, out)
        else:
            self._read_chunks(column, low, high, first, out)

    def _read_chunks(self, column: int, low: int, high: int, first: int, out: Bytes2D) -> None:
        size = self._grid.chunk_tokens
        for chunk in range(low, high):
            offset = int(self._index.offsets[chunk, column])
            data = self._read(offset, int(self._index.lengths[chunk, column]))
            rows = decode_chunk(self._grid, data)
            begin, stop = max(first, chunk * size), min(first + len(out), (chunk + 1) * size)
            out[begin - first : stop - first] = rows[begin - chunk * size : stop - chunk * size]
        if self._verified is not None:
            self._verified[low:high, column] = True

    def _read_straight(self, column: int, first: int, out: Bytes2D) -> None:
        """Read checked, uncompressed rows right into `out`, dropping the checksums between."""
        size, width = self._grid.chunk_tokens, self._grid.row_bytes
        scratch = bytearray(CRC_BYTES)
        target, done = out.reshape(-1).data, 0
        while done < len(out):
            chunk, within = divmod(first + done, size)
            offset = int(self._index.offsets[chunk, column]) + within * width
            vectors: list[memoryview | bytearray] = []
            wanted = 0
            while done < len(out) and len(vectors) < _MAX_VECTORS:
                rows = min(size - within, len(out) - done)
                vectors += [target[done * width : (done + rows) * width], scratch]
                wanted += rows * width + CRC_BYTES
                done, within = done + rows, 0
            self._read_vectors(vectors, offset, wanted)

    def _read_vectors(
        self, vectors: list[memoryview | bytearray], offset: int, wanted: int
    ) -> None:
        # The bytes behind the last row are a checksum or more rows, so `wanted` always exists.
        got = os.preadv(self._descriptor, vectors, offset)
        if got != wanted:
            raise ValueError(f"{wanted - got} bytes are missing at byte {offset + got}")

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, offset)
        while len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                raise ValueError(f"the file is cut off at {offset + len(data)} bytes")
            data += more
        return data
