"""Before a writer goes on: are the committed shards those of this corpus and of their records?

The header of a shard does not name the corpus. What does is its token ids, which a writer knows:
the record has the fingerprint that they must give. And on a local disk the files that lie there
are compared with their record, by the checksums of their chunks, which are not read themselves.
"""

import hashlib
from collections.abc import Callable, Iterable

from ...common.errors import StoreError
from ..format.layout import Layout
from ..format.schema import Integers
from ..format.shard_table import ShardRecord
from ..format.shards import CRC_BYTES, HEADER_BYTES, decode_index, shard_sha256
from ..format.steps import repair_step
from ..places.parts import Span
from ..places.protocol import Place, reading
from .commit import token_ids_record

TokensBetween = Callable[[int, int], Integers]
"""First token and token behind the last -> the ids of the documents there."""


def check_bindings(
    place: Place, layout: Layout, records: Iterable[ShardRecord], tokens: TokensBetween
) -> None:
    """Check that committed shards are those of these documents.

    Args:
        place: of the store.
        layout: of the store, with the tokens that it shall have.
        records: of the shards to check.
        tokens: what the documents have.

    Raises:
        StoreError: a shard, or its record, is of something else (names it); the disk fails.
    """
    for record in records:
        first, stop = record.first_token, record.first_token + record.tokens
        at_commit = Layout(layout.manifest, stop)
        if first != record.shard * layout.manifest.shard_tokens or stop > layout.tokens:
            raise foreign(place, record.shard, "its record is of other documents")
        ids = token_ids_record(at_commit, record.shard, tokens(first, stop))
        if ids != record.files[1]:
            raise foreign(place, record.shard, "its record is of other documents")
        if isinstance(place.path, str):
            continue
        with reading(place):
            problem = _problem(place, at_commit, record)
        if problem:
            raise foreign(place, record.shard, problem)


def foreign(place: Place, shard: int, reason: str) -> StoreError:
    """The error for a shard that is not the one that was committed."""
    return StoreError(f"{place}: shard {shard} was committed, but {reason}: {repair_step(place)}")


def _problem(place: Place, layout: Layout, record: ShardRecord) -> str | None:
    """The file that is not the one of the record; None if all are. Raises: OSError."""
    try:
        digests = file_digests(place, layout, record.shard)
        for file, digest in zip(record.files, digests, strict=True):
            if digest != file.sha256:
                return f"{file.path} is another file now"
    except ValueError as error:
        return f"a file of it is damaged ({error})"
    return None


def file_digests(place: Place, layout: Layout, shard: int) -> list[str]:
    """Fingerprints of the files of a shard as they lie there; the chunks of states are not read.

    Raises:
        OSError: a file is missing or cannot be read.
        ValueError: its index is damaged, so it has no fingerprint.
    """
    states, ids, statistics = layout.shard_files(shard)
    return [
        _states_sha256(place, layout, shard, states),
        shard_sha256(layout.token_ids, shard, place.read(ids)),
        hashlib.sha256(place.read(statistics)).hexdigest(),
    ]


def _states_sha256(place: Place, layout: Layout, shard: int, name: str) -> str:
    """Fingerprint of a file of states, without reading its chunks. Raises: OSError, ValueError."""
    grid, file = layout.states, place.open(name)
    if file.size < HEADER_BYTES + grid.index_bytes:
        raise ValueError(f"the file is cut off at {file.size} bytes")
    header, table = bytearray(HEADER_BYTES), bytearray(grid.index_bytes)
    at_end = Span(file.size - grid.index_bytes, [memoryview(table)])
    file.read([Span(0, [memoryview(header)]), at_end])
    index = decode_index(grid, shard, bytes(table), file.size)
    checksums = file.gather((index.offsets + index.lengths).T.reshape(-1).tolist(), CRC_BYTES)
    digest = hashlib.sha256(header)
    digest.update(checksums or b"")
    digest.update(table)
    return digest.hexdigest()
