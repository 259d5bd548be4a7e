"""Is an open shard the one that was committed? Its fingerprint against the ledger.

The header of a shard names teacher, layers and place, but not the corpus, which may grow: a shard
of another corpus has the right header and right checksums of its own. The ledger has a fingerprint
of each: SHA-256 of header, checksums of all chunks, and index. On a local disk the checksums of
all chunks are gathered when a shard is opened, a few bytes a chunk. At an address that would cost
a request each, so there they are kept as chunks are read, and compared when the last one was.
"""

import hashlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from ...common.forks import ForkLock
from ..format import ledger
from ..format.layout import CHUNKS, DOCUMENTS, LEDGER, MANIFEST
from ..format.seal import Seal
from ..format.shard_table import ShardRecord
from ..format.shards import CRC_BYTES
from ..places.protocol import Place, reading

_FILES = 3
"""Of a shard: states, token ids, statistics."""


_HASHED = 2**25
"""Bytes of a table that is hashed when a store is opened: some tens of milliseconds."""


def check_tables(place: Place, seal: Seal) -> None:
    """Check that the manifest and the tables of documents and chunks are those of the seal.

    Pages of theirs have checksums, but nothing in them says of which corpus they are. Of a table
    larger than `_HASHED` only the size is compared, so that the time to open a store stays bounded;
    `store verify` reads all of it.

    Raises:
        StoreError: one is another one; or missing.
    """
    recorded = {file.path: file for file in seal.files}
    for name in (MANIFEST, DOCUMENTS, CHUNKS):
        file = recorded.get(name)
        with reading(place):
            size = place.size(name)
            hashed = file is not None and size == file.bytes and size <= _HASHED
            digest = hashlib.sha256(place.read(name)).hexdigest() if hashed else None
        if file is None or size != file.bytes:
            expected = file.bytes if file else 0
            raise ledger.damaged(place, name, f"has {size} bytes, not the recorded {expected}")
        if digest is not None and digest != file.sha256:
            raise ledger.damaged(place, name, "its SHA-256 is not the recorded one")


class Fingerprint:
    """The checksums of the chunks of one open shard, as far as they are known."""

    def __init__(self, header: bytes, index: bytes, chunks: int, expected: str) -> None:
        """None is known yet.

        Args:
            header: first bytes of the file.
            index: last bytes of the file.
            chunks: in all columns.
            expected: SHA-256 in hex of header, checksums and index.
        """
        self._header, self._index, self._expected = header, index, expected
        self._checksums = bytearray(CRC_BYTES * chunks)
        self._known = bytearray(chunks)
        self._wrong = False

    def add_all(self, checksums: bytes) -> None:
        """Add those of every chunk, in file order. Raises: ValueError, as `add`."""
        self._checksums[:] = checksums
        self._known = bytearray(b"\1" * len(self._known))
        self._compare()

    def add(self, chunk: int, checksum: bytes) -> None:
        """Add the checksum of one chunk, counted in file order.

        Raises:
            ValueError: this is not the shard that was committed.
        """
        if self._wrong:
            self._compare()
        at = slice(CRC_BYTES * chunk, CRC_BYTES * (chunk + 1))
        if self._known[chunk]:
            if self._checksums[at] != checksum:
                raise ValueError("the chunk is not the one that was read before")
            return
        self._checksums[at] = checksum
        self._known[chunk] = 1
        if self._known.find(0) < 0:
            self._compare()

    def _compare(self) -> None:
        digest = hashlib.sha256(self._header)
        digest.update(self._checksums)
        digest.update(self._index)
        self._wrong = digest.hexdigest() != self._expected
        if self._wrong:
            raise ValueError(
                "its fingerprint is not the recorded one: it is damaged, or of another corpus"
            )


class Fingerprints:
    """Fingerprints of all shards by number, read from the ledger on first use."""

    def __init__(self, place: Place, known: Seal | Mapping[int, ShardRecord]) -> None:
        """Nothing is read yet.

        Args:
            place: of the store.
            known: its seal, which has the fingerprint of the ledger's table; of an unfinished
                store the records of committed shards.
        """
        self._place, self._known = place, known
        self._lock = ForkLock()
        self._hashes: bytes | None = None

    def states(self, shard: int) -> str:
        """Of the states. Raises: StoreError: the ledger is damaged; OSError."""
        return self._of(shard, 0)

    def token_ids(self, shard: int) -> str:
        """Of the token ids. Raises: as `states`."""
        return self._of(shard, 1)

    def _of(self, shard: int, file: int) -> str:
        if not isinstance(self._known, Seal):
            return self._known[shard].files[file].sha256
        if self._hashes is None:
            with self._lock:
                self._hashes = self._hashes or self._read(self._known)
        at = 32 * (_FILES * shard + file)
        return self._hashes[at : at + 32].hex()

    def _read(self, seal: Seal) -> bytes:
        """32 bytes for each file of each shard, in order."""
        data = self._place.read(LEDGER)
        recorded = {file.path: file.sha256 for file in seal.files}
        if hashlib.sha256(data).hexdigest() != recorded.get(LEDGER):
            raise ledger.damaged(self._place, LEDGER, "its SHA-256 is not the recorded one")
        try:
            # Not `pq.read_table`, which imports pyarrow.dataset: 40 ms of a process that reads.
            file = pq.ParquetFile(pa.BufferReader(data))
            table = file.read(columns=["shard", "sha256"], use_threads=False)
            if len(table) != _FILES * seal.shards:
                raise ValueError("it does not list every shard once")
            hashes = bytes.fromhex("".join(table["sha256"].to_pylist()))
            shards = table["shard"].to_pylist()
        except (ValueError, pa.ArrowException) as error:
            raise ledger.damaged(self._place, LEDGER, str(error)) from error
        expected = [shard for shard in range(seal.shards) for _ in range(_FILES)]
        if shards != expected or len(hashes) != 32 * len(shards):
            raise ledger.damaged(self._place, LEDGER, "it does not list every shard once")
        return hashes
