"""Codec presets: how the bytes of one inner chunk are squeezed, in terms plain Zarr knows.

Whatever the preset, a CRC32C follows every inner chunk (`store.shards` appends it).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numcodecs import blosc, zstd

from ...common.threads import cores, pool
from .schema import CodecName

_LEVEL = 1
_PLAIN = ("raw", "int8")  # the quantised rows of store.encoding are left as they are


@dataclass(frozen=True, slots=True)
class Codec:
    """One preset for chunks of one size."""

    name: CodecName
    item_bytes: int
    """Bytes of one stored value; what the byte split splits."""
    chunk_bytes: int
    """Bytes of a chunk before encoding."""

    @property
    def plain(self) -> bool:
        """True if a chunk lies in the file as it is in memory."""
        return self.name in _PLAIN

    @property
    def zarr(self) -> list[dict[str, Any]]:
        """The Zarr v3 codecs between `bytes` and `crc32c`, as in zarr.json."""
        if self.plain:
            return []
        if self.name == "zstd":
            return [{"name": "zstd", "configuration": {"level": _LEVEL, "checksum": False}}]
        configuration = {
            "cname": "zstd",
            "clevel": _LEVEL,
            "shuffle": "shuffle",
            "typesize": self.item_bytes,
            "blocksize": self.chunk_bytes,
        }
        return [{"name": "blosc", "configuration": configuration}]

    def encode(self, chunk: bytes) -> bytes:
        """Squeeze `chunk_bytes` bytes; the same bytes in give the same bytes out."""
        if self.plain:
            return chunk
        if self.name == "zstd":
            return bytes(zstd.compress(chunk, _LEVEL))
        # One block per chunk: the exponents get a literal table of their own only where zstd's
        # 128 KiB blocks do not mix them with mantissas, and Blosc's threads cannot reorder one.
        return bytes(
            blosc.compress(
                np.frombuffer(chunk, f"u{self.item_bytes}"),  # Blosc splits by the item size
                b"zstd",
                _LEVEL,
                blosc.SHUFFLE,
                self.chunk_bytes,
            )
        )

    def encode_all(self, chunks: Iterable[npt.NDArray[np.uint8]]) -> Iterator[bytes | memoryview]:
        """Squeeze chunks in order, on all cores, a few at a time; plain ones are not copied."""
        if self.plain:
            yield from (chunk.data.cast("B") for chunk in chunks)
            return
        running: deque[Future[bytes]] = deque()
        for chunk in chunks:
            running.append(pool().submit(self.encode, chunk.tobytes()))
            if len(running) > cores():
                yield running.popleft().result()
        while running:
            yield running.popleft().result()

    def decode(self, data: memoryview) -> bytes | memoryview:
        """Undo `encode`.

        Raises:
            RuntimeError: the bytes are not what `encode` gives.
        """
        if self.plain:
            return data
        if self.name == "zstd":
            return bytes(zstd.decompress(data))
        return bytes(blosc.decompress(data))
