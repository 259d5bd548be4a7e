"""Codec presets: how states become the bytes of a chunk, in terms that plain Zarr knows.

A preset is a row form (exact or quantised, see `encoding`) and a compressor. Whatever the preset,
a CRC32C follows every chunk (`shards` appends it). numpy and numcodecs are imported when a chunk
is first compressed, so that the command line can list the presets at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...common.threads import cores, pool

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CodecName = Literal["raw", "zstd", "split-zstd", "int8"]
RowForm = Literal["exact", "int8"]
"""Key of `encoding.ROW_FORMS`."""

_LEVEL = 1


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """Size of a chunk before compression."""

    item_bytes: int
    """Bytes of one stored value; what the byte split splits."""
    chunk_bytes: int


@dataclass(frozen=True, slots=True)
class Compressor:
    """How the bytes of one chunk are compressed; deterministic."""

    zarr: Callable[[ChunkSize], dict[str, Any]]
    """The Zarr v3 codec, as in zarr.json."""
    encode: Callable[[bytes, ChunkSize], bytes]
    decode: Callable[[memoryview], bytes]
    """Raises RuntimeError if the bytes are not the result of `encode`."""
    opens_to: Callable[[memoryview], int]
    """Bytes that the data says `decode` will make of it, looked at before it does."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One preset."""

    rows: RowForm
    compressor: Compressor | None
    """None: a chunk lies in the file as it is in memory."""
    min_chunk_values: int = 0
    """Values that the default chunk has at least."""


def _zstd_zarr(size: ChunkSize) -> dict[str, Any]:
    return {"name": "zstd", "configuration": {"level": _LEVEL, "checksum": False}}


def _zstd_encode(chunk: bytes, size: ChunkSize) -> bytes:
    from numcodecs import zstd

    return bytes(zstd.compress(chunk, _LEVEL))


def _zstd_decode(data: memoryview) -> bytes:
    from numcodecs import zstd

    return bytes(zstd.decompress(data))


def _zstd_opens_to(data: memoryview) -> int:
    """Content size in the header of a zstd frame (RFC 8878, 3.1.1.1); -1 for none."""
    if len(data) < 18 or bytes(data[:4]) != b"\x28\xb5\x2f\xfd":
        return -1
    flags = data[4]
    single, size_flag = flags >> 5 & 1, flags >> 6
    start = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
    length = (single, 2, 4, 8)[size_flag]
    size = int.from_bytes(data[start : start + length], "little")
    return size + 256 * (size_flag == 1) if length else -1


def _split_zarr(size: ChunkSize) -> dict[str, Any]:
    configuration = {
        "cname": "zstd",
        "clevel": _LEVEL,
        "shuffle": "shuffle",
        "typesize": size.item_bytes,
        "blocksize": size.chunk_bytes,
    }
    return {"name": "blosc", "configuration": configuration}


def _split_encode(chunk: bytes, size: ChunkSize) -> bytes:
    import numpy as np
    from numcodecs import blosc

    # One block per chunk: the exponents get a literal table of their own only where zstd's
    # 128 KiB blocks do not mix them with mantissas, and Blosc's threads cannot reorder one.
    values = np.frombuffer(chunk, f"u{size.item_bytes}")  # Blosc splits by the item size
    return bytes(blosc.compress(values, b"zstd", _LEVEL, blosc.SHUFFLE, size.chunk_bytes))


def _split_decode(data: memoryview) -> bytes:
    from numcodecs import blosc

    return bytes(blosc.decompress(data))


def _split_opens_to(data: memoryview) -> int:
    """Bytes 4 to 7 of the header of a Blosc buffer."""
    return int.from_bytes(data[4:8], "little") if len(data) >= 16 else -1


CODECS: dict[CodecName, Codec] = {
    "raw": Codec("exact", None),
    "zstd": Codec("exact", Compressor(_zstd_zarr, _zstd_encode, _zstd_decode, _zstd_opens_to)),
    # The byte split pays once each byte of the values fills a zstd block of 128 KiB.
    "split-zstd": Codec(
        "exact",
        Compressor(_split_zarr, _split_encode, _split_decode, _split_opens_to),
        min_chunk_values=128 * 2**10,
    ),
    "int8": Codec("int8", None),
}


@dataclass(frozen=True, slots=True)
class ChunkCodec:
    """The compressor of a preset for chunks of one size."""

    compressor: Compressor | None
    size: ChunkSize

    @property
    def plain(self) -> bool:
        """True if a chunk lies in the file as it is in memory."""
        return self.compressor is None

    @property
    def zarr(self) -> list[dict[str, Any]]:
        """The Zarr v3 codecs between `bytes` and `crc32c`, as in zarr.json."""
        return [self.compressor.zarr(self.size)] if self.compressor else []

    def encode(self, chunk: bytes) -> bytes:
        """Compress a chunk; equal input gives equal output."""
        return self.compressor.encode(chunk, self.size) if self.compressor else chunk

    def encode_all(self, chunks: Iterable[npt.NDArray[np.uint8]]) -> Iterator[bytes | memoryview]:
        """Compress chunks in order, on all cores, a few at a time; plain ones are not copied."""
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
            RuntimeError: the bytes are not the result of `encode`, or would fill the memory.
        """
        if not self.compressor:
            return data
        size = self.compressor.opens_to(data)
        if size != self.size.chunk_bytes:
            raise RuntimeError(f"it says that it opens to {size} bytes")
        return self.compressor.decode(data)


def chunk_codec(name: CodecName, item_bytes: int, chunk_bytes: int) -> ChunkCodec:
    """The compressor of preset `name` for values and chunks of this many bytes."""
    return ChunkCodec(CODECS[name].compressor, ChunkSize(item_bytes, chunk_bytes))
