"""Making one shard durable: states, token ids, statistics, and then its ledger record."""

import hashlib
from collections.abc import Sequence

import numpy as np

from . import ledger, statistics
from .dtypes import Bits
from .encoding import StoredRows
from .identity import owner_sha256
from .layout import TOKEN_SENTINEL, Layout
from .ledger import FileRecord, ShardRecord
from .place import Place
from .schema import Integers
from .shards import Grid, encode_shard
from .statistics import Doubles


class NotFiniteError(ValueError):
    """A state of a shard is NaN or infinite."""

    def __init__(self, column: int, row: int) -> None:
        """In this layer of the store, at this token of the shard."""
        super().__init__(f"layer {column}, token {row}")
        self.column, self.row = column, row


def commit_shard(store: Place, layout: Layout, shard: int, buffer: Bits, ids: Integers) -> None:
    """Write the three files of a shard and, once they are safe, its record.

    Args:
        store: where.
        layout: of the store.
        shard: which one.
        buffer: [layers, rows, hidden] bits, rows enough for all chunks of the shard; what lies
            behind the last token is overwritten with the fill value.
        ids: [tokens] token ids of this shard.

    Raises:
        StoreError: the disk is full and so on.
        NotFiniteError: a state is NaN or infinite; nothing is written.
    """
    grid = layout.states
    length, rows = len(ids), grid.used_chunks(shard) * grid.chunk_tokens
    columns, sums = [], []
    for number, bits in enumerate(buffer):
        exact = statistics.partial(layout.dtype, bits[:length])
        if not np.isfinite(exact[2]).all():
            raise NotFiniteError(number, layout.dtype.first_not_finite(bits[:length]))
        columns.append(layout.encoding.encode(bits[:rows], length))
        sums.append(_sums(layout, exact, bits[:length], columns[-1][:length]))
    column = np.full(rows, TOKEN_SENTINEL, "<u4")
    column[:length] = ids
    tokens = column.view(np.uint8).reshape(rows, 4)
    names = layout.shard_files(shard)
    files = (
        _write_shard(store, names[0], layout, grid, shard, columns),
        _write_shard(store, names[1], layout, layout.token_ids, shard, [tokens]),
        _write_statistics(store, names[2], np.stack(sums)),
    )
    first = shard * grid.shard_tokens
    record = ShardRecord(shard=shard, first_token=first, tokens=length, files=files)
    ledger.write_sealed(store, ledger.record_name(shard), record)


def _sums(layout: Layout, exact: Doubles, bits: Bits, stored: StoredRows) -> Doubles:
    """Statistics of what will be read, and of what is lost."""
    form = layout.encoding
    if form.exact:
        return exact
    read = form.decode(stored)
    error = statistics.squared_error(layout.dtype, bits, read)
    return np.concatenate([statistics.partial(layout.dtype, read), error[None]])


def _write_shard(
    store: Place, name: str, layout: Layout, grid: Grid, shard: int, columns: Sequence[StoredRows]
) -> FileRecord:
    digest = hashlib.sha256()
    owner = owner_sha256(layout.manifest)
    size = store.write(name, encode_shard(grid, owner, shard, columns, digest))
    return FileRecord(path=name, bytes=size, sha256=digest.hexdigest())


def _write_statistics(store: Place, name: str, sums: Doubles) -> FileRecord:
    data = statistics.encode(sums)
    size = store.write(name, [data])
    return FileRecord(path=name, bytes=size, sha256=hashlib.sha256(data).hexdigest())
