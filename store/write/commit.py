"""Writing one shard: states, token ids, statistics, then its ledger record."""

import hashlib
import math
from collections.abc import Iterable, Iterator

import numpy as np

from ...common.atomic import Buffer
from ..format import ledger, statistics
from ..format.dtypes import Bits
from ..format.encoding import StoredRows
from ..format.identity import owner_sha256
from ..format.layout import TOKEN_SENTINEL, Layout
from ..format.schema import Integers
from ..format.shard_table import FileRecord, ShardRecord
from ..format.shards import Digest, Grid, chunks_of, encode_shard
from ..format.statistics import Doubles
from ..places.protocol import Place, Staged


class NotFiniteError(ValueError):
    """A state of a shard is NaN or infinite."""

    def __init__(self, column: int, row: int) -> None:
        """In this layer of the store, at this token of the shard."""
        super().__init__(f"layer {column}, token {row}")
        self.column, self.row = column, row


def stage_shard(store: Place, layout: Layout, shard: int, buffer: Bits, ids: Integers) -> Staged:
    """Write the three files of a shard and its record, ready to be published.

    Args:
        store: place of the store.
        layout: of the store.
        shard: which one.
        buffer: [layers, rows, hidden] bits with rows for all chunks of the shard; rows behind
            the last token are overwritten with the fill value.
        ids: [tokens] token ids of this shard.

    Raises:
        StoreError: the disk is full and so on.
        NotFiniteError: a state is NaN or infinite; the shard is not written.
    """
    names, sums = layout.shard_files(shard), list[Doubles]()
    files = (
        _shard(
            names[0], layout, layout.states, shard, _columns(layout, shard, buffer, len(ids), sums)
        ),
        _shard(names[1], layout, layout.token_ids, shard, [_token_ids(layout, shard, ids)]),
        _statistics(names[2], sums),
    )

    def record() -> Iterator[bytes]:
        """Lazily, when the files have been written and their fingerprints exist."""
        first, written = shard * layout.states.shard_tokens, tuple(file.record() for file in files)
        content = ShardRecord(shard=shard, first_token=first, tokens=len(ids), files=written)
        yield ledger.sealed_text(content).encode()

    return store.stage([(file.name, file) for file in files], (ledger.record_name(shard), record()))


def token_ids_record(layout: Layout, shard: int, ids: Integers) -> FileRecord:
    """What the record of a shard says of its token ids, if they are these."""
    name = layout.shard_files(shard)[1]
    file = _shard(name, layout, layout.token_ids, shard, [_token_ids(layout, shard, ids)])
    for _ in file:
        pass
    return file.record()


class _File:
    """The parts of a file while it is written, and its record afterwards."""

    def __init__(self, name: str, parts: Iterable[Buffer], digest: Digest) -> None:
        self.name = name
        self._parts, self._digest, self._bytes = parts, digest, 0

    def __iter__(self) -> Iterator[Buffer]:
        for part in self._parts:
            self._bytes += memoryview(part).nbytes
            yield part

    def record(self) -> FileRecord:
        return FileRecord(path=self.name, bytes=self._bytes, sha256=self._digest.hexdigest())


def _columns(
    layout: Layout, shard: int, buffer: Bits, length: int, sums: list[Doubles]
) -> Iterator[Iterator[StoredRows]]:
    """The chunks of every layer; once those of one are consumed, its statistics are in `sums`."""
    rows = layout.states.used_chunks(shard) * layout.states.chunk_tokens
    for number, bits in enumerate(buffer):
        yield _column(layout, number, bits[:rows], length, sums)


def _column(
    layout: Layout, number: int, bits: Bits, length: int, sums: list[Doubles]
) -> Iterator[StoredRows]:
    """Sum and encode a few chunks at a time, so that they are still in the CPU cache when they
    are written, and the disk is busy from the first one on."""
    form, grid = layout.encoding, layout.states
    exact, read = (statistics.Sums(layout.dtype, layout.hidden) for _ in range(2))
    errors = statistics.Errors(layout.dtype, layout.hidden)
    step = math.lcm(statistics.BLOCK, grid.chunk_tokens)
    for first in range(0, len(bits), step):
        part, real = bits[first : first + step], max(0, min(step, length - first))
        exact.add(part[:real])
        if not exact.finite:
            raise NotFiniteError(number, first + layout.dtype.first_not_finite(part[:real]))
        stored = form.encode(part, real)
        if not form.exact:
            decoded = form.decode(stored[:real])
            read.add(decoded)
            errors.add(part[:real], decoded)
        yield from chunks_of(grid, stored)
    lossy = np.concatenate([read.values, errors.values[None]])
    sums.append(exact.values if form.exact else lossy)


def _token_ids(layout: Layout, shard: int, ids: Integers) -> Iterator[StoredRows]:
    grid = layout.token_ids
    column = np.full(grid.used_chunks(shard) * grid.chunk_tokens, TOKEN_SENTINEL, "<u4")
    column[: len(ids)] = ids
    return chunks_of(grid, column.view(np.uint8).reshape(-1, grid.row_bytes))


def _shard(
    name: str, layout: Layout, grid: Grid, shard: int, columns: Iterable[Iterable[StoredRows]]
) -> _File:
    digest = hashlib.sha256()
    owner = owner_sha256(layout.manifest)
    return _File(name, encode_shard(grid, owner, shard, columns, digest), digest)


def _statistics(name: str, sums: list[Doubles]) -> _File:
    """Written after the states, when `sums` is complete."""
    digest = hashlib.sha256()

    def parts() -> Iterator[bytes]:
        data = statistics.encode(np.stack(sums))
        digest.update(data)
        yield data

    return _File(name, parts(), digest)
