"""The records of all shards of a store, packed: a hundred thousand take some tens of megabytes."""

import struct
from collections.abc import Iterator, MutableMapping

from .files import shard_files
from .schema import Record

_FILES = 3
_PACKED = struct.Struct(f"<{2 + _FILES}q" + "32s" * _FILES)
"""First token, tokens, bytes of each file, fingerprint of each file."""


class FileRecord(Record):
    """A file of the store with its fingerprint."""

    path: str
    """Relative to the store, with forward slashes."""
    bytes: int
    sha256: str
    """In hex. Of the whole file; of a shard, of its header, chunk checksums and index (see
    `shards`). A CRC32C would not do: chunks that end in their own CRC32C give every shard
    of the same shape the same one, so swapped shards would pass."""


class ShardRecord(Record):
    """One committed shard."""

    shard: int
    first_token: int
    tokens: int
    files: tuple[FileRecord, ...]
    """States, token ids and statistics of these tokens."""


class ShardTable(MutableMapping[int, ShardRecord]):
    """Shard -> its record, ascending; a record is unpacked when it is asked for."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows: dict[int, bytes] = {}

    def __getitem__(self, shard: int) -> ShardRecord:
        first, tokens, *rest = _PACKED.unpack(self._rows[shard])
        files = tuple(
            FileRecord(path=name, bytes=size, sha256=digest.hex())
            for name, size, digest in zip(
                shard_files(shard), rest[:_FILES], rest[_FILES:], strict=True
            )
        )
        return ShardRecord(shard=shard, first_token=first, tokens=tokens, files=files)

    def __setitem__(self, shard: int, record: ShardRecord) -> None:
        """Raises: ValueError: the record is of another shard, or names other files than its own,
        or has a size or a fingerprint that no file has."""
        names = tuple(file.path for file in record.files)
        if record.shard != shard or shard < 0 or names != shard_files(shard):
            raise ValueError(f"the record of shard {shard} does not name its files")
        sizes = tuple(file.bytes for file in record.files)
        self.put(shard, record.first_token, record.tokens, sizes, [f.sha256 for f in record.files])

    def put(
        self, shard: int, first: int, tokens: int, sizes: tuple[int, ...], digests: list[str]
    ) -> None:
        """Add a shard whose files have these sizes and fingerprints. Raises: ValueError."""
        hashes = [bytes.fromhex(digest) for digest in digests]
        if any(len(each) != 32 for each in hashes) or min(first, tokens, *sizes) < 0:
            raise ValueError(f"the record of shard {shard} has impossible values")
        try:
            self._rows[shard] = _PACKED.pack(first, tokens, *sizes, *hashes)
        except struct.error as error:
            raise ValueError(f"the record of shard {shard} has impossible values") from error

    def __delitem__(self, shard: int) -> None:
        del self._rows[shard]

    def __contains__(self, shard: object) -> bool:
        return shard in self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def tokens(self, shard: int) -> int:
        """Tokens of a shard."""
        return int(_PACKED.unpack(self._rows[shard])[1])

    def sizes(self, shard: int) -> tuple[int, ...]:
        """Bytes of its states, token ids and statistics."""
        return tuple(_PACKED.unpack(self._rows[shard])[2 : 2 + _FILES])
