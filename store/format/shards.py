"""One shard file of the `sharding_indexed` codec, written and read without Zarr's machinery.

A shard begins with a header that Zarr skips (the index never points at it): it names the store
and the shard, so that the first read detects a file in the wrong place. Then come chunks of
[chunk_tokens, 1, width] values, each followed by its CRC32C, then the index of (offset, bytes)
pairs with a CRC32C of its own. Chunks lie layer by layer, so that a document of one layer is one
contiguous read.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .checksum import crc32c as crc
from .codecs import ChunkCodec

CRC_BYTES = 4
HEADER_BYTES = 64
_MAGIC = b"LCSHARD1"
RESIDUE = 0x48674BC7
"""CRC32C of anything that is followed by its own CRC32C."""
_MISSING = np.uint64(2**64 - 1)

Bytes1D = npt.NDArray[np.uint8]
Bytes2D = npt.NDArray[np.uint8]
Bytes3D = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Grid:
    """Geometry of one array: [tokens, columns, width], sharded along tokens only."""

    tokens: int
    """Tokens of the whole array."""
    columns: int
    """Layers, or 1 for token ids."""
    row_bytes: int
    """Bytes of one token in one column."""
    chunk_tokens: int
    shard_tokens: int
    codec: ChunkCodec

    @property
    def chunk_bytes(self) -> int:
        """Bytes of an inner chunk before encoding."""
        return self.chunk_tokens * self.row_bytes

    @property
    def chunks_per_shard(self) -> int:
        """Inner chunks of a full shard along tokens."""
        return self.shard_tokens // self.chunk_tokens

    @property
    def index_bytes(self) -> int:
        """Bytes of the index at the end of every shard, checksum included."""
        return self.chunks_per_shard * self.columns * 16 + CRC_BYTES

    @property
    def stored_bytes(self) -> int:
        """Bytes of an inner chunk in the file, checksum included, if the codec is plain."""
        return self.chunk_bytes + CRC_BYTES

    def used_chunks(self, shard: int) -> int:
        """Inner chunks along tokens that hold data in this shard."""
        return -(-self.shard_length(shard) // self.chunk_tokens)

    def shard_length(self, shard: int) -> int:
        """Tokens in this shard; only the last one may be short."""
        return min(self.shard_tokens, self.tokens - shard * self.shard_tokens)


def chunks_of(grid: Grid, rows: Bytes2D) -> Iterator[Bytes2D]:
    """The chunks of [chunks * chunk_tokens, row_bytes] bytes of a column."""
    for first in range(0, len(rows), grid.chunk_tokens):
        yield rows[first : first + grid.chunk_tokens]


def crc32c(data: bytes | memoryview) -> bytes:
    """CRC32C as four little-endian bytes."""
    return crc(data).to_bytes(CRC_BYTES, "little")


def header(owner: str, shard: int) -> bytes:
    """The first bytes of a shard: magic, owner (SHA-256), shard number, zeros, CRC32C."""
    content = _MAGIC + bytes.fromhex(owner) + shard.to_bytes(8, "little")
    content += bytes(HEADER_BYTES - CRC_BYTES - len(content))
    return content + crc32c(content)


class Digest(Protocol):
    """Part of a hashlib object."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Digest of all bytes so far."""


def encode_shard(
    grid: Grid, owner: str, shard: int, columns: Iterable[Iterable[Bytes2D]], digest: Digest
) -> Iterator[bytes | memoryview]:
    """The bytes of a shard file, piece by piece: only a few chunks are in memory at once.

    Args:
        grid: the array's geometry.
        owner: SHA-256 in hex of the manifest, see `identity.owner_sha256`.
        shard: which shard.
        columns: the chunks of every column, each [chunk_tokens, row_bytes] bytes, the last one
            filled up with the fill value.
        digest: updated with the fingerprinted bytes: header, checksums of the chunks, index.
            The chunks themselves are covered by their checksums, at a tenth of SHA-256's cost.
    """
    index = np.full((grid.chunks_per_shard, grid.columns, 2), _MISSING, "<u8")
    first_bytes = header(owner, shard)
    digest.update(first_bytes)
    yield first_bytes
    offset = HEADER_BYTES
    for column, chunks in enumerate(columns):
        for chunk, data in enumerate(grid.codec.encode_all(chunks)):
            checksum = crc32c(data)
            digest.update(checksum)
            yield data
            yield checksum
            index[chunk, column] = offset, len(data) + CRC_BYTES
            offset += len(data) + CRC_BYTES
    table = index.tobytes()
    table += crc32c(table)
    digest.update(table)
    yield table


def checks(data: bytes | memoryview) -> bool:
    """True if `data` ends in the CRC32C of the rest of it."""
    return len(data) > CRC_BYTES and crc(data) == RESIDUE


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """Where the chunks of a shard lie."""

    offsets: npt.NDArray[np.int64]
    """[chunks, columns] first byte of every chunk that holds data."""
    lengths: npt.NDArray[np.int64]
    """[chunks, columns] bytes, checksum included."""


def decode_index(grid: Grid, shard: int, data: bytes, file_bytes: int) -> ShardIndex:
    """Parse and check the index of a shard.

    Raises:
        ValueError: damaged, or it names other chunks than this shard holds.
    """
    if len(data) != grid.index_bytes or not checks(data):
        raise ValueError("the index fails its checksum")
    shape = (grid.chunks_per_shard, grid.columns, 2)
    index = np.frombuffer(data[:-CRC_BYTES], "<u8").reshape(shape)
    used = grid.used_chunks(shard)
    if (index[:used] == _MISSING).any() or (index[used:] != _MISSING).any():
        raise ValueError(f"the index does not name the {used} chunks of this shard")
    offsets = index[:used, :, 0].astype(np.int64)
    lengths = index[:used, :, 1].astype(np.int64)
    ends = HEADER_BYTES + np.cumsum(lengths.T)
    tiled = np.array_equal(offsets.T.reshape(-1), ends - lengths.T.reshape(-1))
    if (lengths <= CRC_BYTES).any() or not tiled or ends[-1] != file_bytes - grid.index_bytes:
        raise ValueError("the chunks that the index names do not fill the file")
    return ShardIndex(offsets, lengths)


@functools.lru_cache(maxsize=64)
def plain_index(grid: Grid, used: int) -> bytes:
    """The index of a shard with `used` chunks a column, if the codec is plain."""
    index = np.full((grid.chunks_per_shard, grid.columns, 2), _MISSING, "<u8")
    number = np.arange(used)[:, None] + used * np.arange(grid.columns)
    index[:used, :, 0] = HEADER_BYTES + number * grid.stored_bytes
    index[:used, :, 1] = grid.stored_bytes
    table = index.tobytes()
    return table + crc32c(table)


def plain_chunks(grid: Grid, used: int, file: Bytes1D) -> Bytes3D:
    """The chunks within the bytes of a plain shard: [columns, used, bytes with the checksum]."""
    chunks = file[HEADER_BYTES : HEADER_BYTES + grid.columns * used * grid.stored_bytes]
    return chunks.reshape(grid.columns, used, grid.stored_bytes)


def check_plain(grid: Grid, owner: str, shard: int, file: bytes) -> int:
    """Check header and index of a whole plain shard; returns the chunks of a column.

    Raises:
        ValueError: damaged, truncated, or another shard in its place.
    """
    if not file.startswith(header(owner, shard)):
        raise ValueError("the header is of another shard or another store")
    table, used = file[-grid.index_bytes :], grid.used_chunks(shard)
    if table != plain_index(grid, used):
        decode_index(grid, shard, table, len(file))  # raises with the exact reason
        raise ValueError("the index names chunks of another length")
    if len(file) != HEADER_BYTES + grid.columns * used * grid.stored_bytes + len(table):
        raise ValueError(f"the file has {len(file)} bytes, not those of its chunks")
    return used


def decode_chunk(grid: Grid, data: bytes | memoryview) -> Bytes2D:
    """Check and decode one chunk to [chunk_tokens, row_bytes].

    Raises:
        ValueError: damaged.
    """
    if not checks(data):
        raise ValueError("the chunk fails its checksum")
    try:
        raw = grid.codec.decode(memoryview(data)[:-CRC_BYTES])
    except RuntimeError as error:
        raise ValueError(f"the chunk cannot be decoded ({error})") from error
    if len(raw) != grid.chunk_bytes:
        raise ValueError(f"the chunk has {len(raw)} bytes instead of {grid.chunk_bytes}")
    return np.frombuffer(raw, np.uint8).reshape(grid.chunk_tokens, grid.row_bytes)


def shard_sha256(grid: Grid, shard: int, data: bytes) -> str:
    """The fingerprint of a shard file, equal to the digest of `encode_shard`.

    Raises:
        ValueError: the index is damaged, so there is no fingerprint.
    """
    table = data[-grid.index_bytes :]
    index = decode_index(grid, shard, table, len(data))
    ends = (index.offsets + index.lengths).T.reshape(-1).tolist()
    digest = hashlib.sha256(data[:HEADER_BYTES])
    for end in ends:
        digest.update(data[end - CRC_BYTES : end])
    digest.update(table)
    return digest.hexdigest()


def decode_shard(grid: Grid, owner: str, shard: int, data: bytes) -> npt.NDArray[np.uint8]:
    """All chunks of a shard file, fully checked: [columns, rows, row_bytes].

    Raises:
        ValueError: damaged, truncated, or another shard in its place.
    """
    if not data.startswith(header(owner, shard)):
        raise ValueError("the header is of another shard or another store")
    index = decode_index(grid, shard, data[-grid.index_bytes :], len(data))
    used = grid.used_chunks(shard)
    out = np.empty((grid.columns, used, grid.chunk_tokens, grid.row_bytes), np.uint8)
    for column in range(grid.columns):
        for chunk in range(used):
            start = int(index.offsets[chunk, column])
            part = data[start : start + int(index.lengths[chunk, column])]
            out[column, chunk] = decode_chunk(grid, part)
    return out.reshape(grid.columns, -1, grid.row_bytes)
