"""One open shard: rows of one column, checked on their first read, copied once."""

import os
from pathlib import Path

from .shards import (
    CRC_BYTES,
    HEADER_BYTES,
    Bytes2D,
    Grid,
    decode_chunk,
    decode_index,
    header,
)

_MAX_VECTORS = 512  # the kernel takes 1,024 per call; two for every chunk

Verified = list[bytearray]


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
            verified: per column a byte per chunk, not zero for those that this process has
                checked before; kept up.
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
        index = decode_index(grid, shard, data, size)
        # Plain lists: a document takes a handful of look-ups, which numpy makes slow.
        self._offsets: list[list[int]] = index.offsets.T.tolist()
        self._lengths: list[list[int]] = index.lengths.T.tolist()
        self._scratch = memoryview(bytearray(CRC_BYTES))
        if self._read(0, HEADER_BYTES) != header(owner, shard):
            raise ValueError("the header is of another shard or another store")

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read_rows(self, column: int, first: int, out: Bytes2D) -> None:
        """Fill `out` [rows, row_bytes], contiguous, with rows of a column from `first` on.

        Raises:
            OSError: the disk fails.
            ValueError: damaged.
        """
        low = first // self._grid.chunk_tokens
        high = -(-(first + len(out)) // self._grid.chunk_tokens)
        if self._verified is None or self._verified[column].find(0, low, high) >= 0:
            self._read_chunks(column, low, high, first, out)
        elif self._grid.codec.plain:
            self._read_straight(column, first, out)
        else:
            self._read_chunks(column, low, high, first, out)

    def _read_chunks(self, column: int, low: int, high: int, first: int, out: Bytes2D) -> None:
        size = self._grid.chunk_tokens
        for chunk in range(low, high):
            data = self._read(self._offsets[column][chunk], self._lengths[column][chunk])
            rows = decode_chunk(self._grid, data)
            begin, stop = max(first, chunk * size), min(first + len(out), (chunk + 1) * size)
            out[begin - first : stop - first] = rows[begin - chunk * size : stop - chunk * size]
        if self._verified is not None:
            self._verified[column][low:high] = b"\1" * (high - low)

    def _read_straight(self, column: int, first: int, out: Bytes2D) -> None:
        """Read checked, uncompressed rows right into `out`, dropping the checksums between."""
        width = self._grid.row_bytes
        step = self._grid.chunk_tokens * width
        target = out.reshape(-1).data
        done, total = 0, len(target)
        while done < total:
            chunk, within = divmod(first * width + done, step)
            offset = self._offsets[column][chunk] + within
            end = min(done + step - within, total)
            vectors, wanted = [target[done:end]], end - done
            while end < total and len(vectors) < _MAX_VECTORS:
                begin, end = end, min(end + step, total)
                vectors += [self._scratch, target[begin:end]]
                wanted += CRC_BYTES + end - begin
            self._read_vectors(vectors, offset, wanted)
            done = end

    def _read_vectors(self, vectors: list[memoryview], offset: int, wanted: int) -> None:
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
