"""The token ids of one shard: small enough to cache, checked where they are read."""

import numpy as np
import numpy.typing as npt

from ..format.shards import CRC_BYTES, HEADER_BYTES, Grid, check_plain, checks, plain_chunks
from .fingerprints import Fingerprint

TokenIds = npt.NDArray[np.int64]


class ShardIds:
    """All ids of a shard in memory. Threads may share it."""

    def __init__(self, grid: Grid, owner: str, shard: int, data: bytes, sha256: str) -> None:
        """Check header, index and fingerprint of a shard file, its chunks when they are read.

        Raises:
            ValueError: damaged, truncated, or another shard in its place.
        """
        used = check_plain(grid, owner, shard, data)
        self._size = grid.chunk_tokens
        self._chunks = plain_chunks(grid, used, np.frombuffer(data, np.uint8))[0]
        checksums = self._chunks[:, -CRC_BYTES:].tobytes()
        index = data[-grid.index_bytes :]
        Fingerprint(data[:HEADER_BYTES], index, used, sha256).add_all(checksums)
        self._ids = np.ascontiguousarray(self._chunks[:, :-CRC_BYTES]).reshape(-1).view("<u4")
        self._known = bytearray(used)

    def read(self, first: int, stop: int) -> TokenIds:
        """int64 [stop - first] ids of the shard, a copy. Raises: ValueError: damaged."""
        low, high = first // self._size, -(-stop // self._size)
        if self._known.find(0, low, high) >= 0:
            self._check(low, high)
        ids: TokenIds = self._ids[first:stop].astype(np.int64)
        return ids

    def _check(self, low: int, high: int) -> None:
        for chunk in range(low, high):
            if not self._known[chunk]:
                if not checks(self._chunks[chunk].data):
                    raise ValueError("the chunk fails its checksum")
                self._known[chunk] = 1
