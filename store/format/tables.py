"""Documents and chunks as Parquet: token spans, days and buckets, a row group at a time."""

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.buckets import BUCKETS, bucket_of
from ...common.errors import StoreError
from ...common.parquet import parquet_parts
from ..places.protocol import Place, exists, reading
from .documents import Documents
from .layout import CHUNKS, DOCUMENTS, SEAL
from .ledger import fingerprint
from .schema import Integers
from .steps import repair_step

GROUP_DOCUMENTS = 4096
"""Documents per row group in both tables; a reader fetches only the groups that it needs."""

_DOCUMENTS = pa.schema(
    [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("first_token", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("chunks", pa.int32(), nullable=False),
        pa.field("tokens_sha256", pa.string(), nullable=False),
        pa.field("question_ids", pa.list_(pa.string()), nullable=False),
    ]
)
_CHUNKS = pa.schema(
    [
        pa.field("document", pa.int64(), nullable=False),
        pa.field("chunk", pa.int32(), nullable=False),
        pa.field("first_token", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("day", pa.int64()),
        pa.field("bucket", pa.int8(), nullable=False),
    ]
)


def plan_tables(
    store: Place, documents: Documents, starts: Integers
) -> dict[str, Callable[[], Iterator[pa.Table]]]:
    """The tables that are still to be written, given those that exist.

    Tables that are a beginning are written again: the manifest, which was checked before, names
    the corpus, so they are those of a store that grows and whose writer was killed.

    Args:
        store: place of the store.
        documents: every document.
        starts: [documents] first token of each.

    Returns:
        file -> what makes its row groups, one after another.

    Raises:
        StoreError: the store is of other documents.
    """
    plan: dict[str, Callable[[], Iterator[pa.Table]]] = {}
    # In this order they are written: documents that a reader sees always have their chunks.
    for name, make in ((CHUNKS, _chunk_group), (DOCUMENTS, _document_group)):
        groups = functools.partial(_groups, make, documents, starts)
        present = exists(store, name)
        whole = present and _is_whole(store, name, groups())
        if whole and not exists(store, SEAL):  # a seal has the fingerprint of every byte
            whole = _same_bytes(store, name, groups())
        if not whole:
            plan[name] = groups
    return plan


def _same_bytes(store: Place, name: str, wanted: Iterator[pa.Table]) -> bool:
    """True if a table is the one that would be written: its footer has no checksum."""
    digest = hashlib.sha256()
    for part in parquet_parts(wanted):
        digest.update(part)
    with reading(store):
        return fingerprint(store, name).sha256 == digest.hexdigest()


def _is_whole(store: Place, name: str, wanted: Iterator[pa.Table]) -> bool:
    """True if a table is there to its end; False if it begins the wanted one, or is damaged.

    Raises:
        StoreError: the table is of other documents, or the disk fails.
    """
    shorter = False
    try:
        file = pq.ParquetFile(store.arrow(name), page_checksum_verification=True)
        groups = (file.read_row_group(i) for i in range(file.num_row_groups))
        for existing, group in itertools.zip_longest(groups, wanted):
            if shorter and existing is None:
                break
            rows = 0 if existing is None else len(existing)
            same = existing is None or (
                group is not None and not shorter and existing.equals(group.slice(0, rows))
            )
            shorter = shorter or group is None or rows < len(group)
            if not same:
                raise StoreError(
                    f"{store.at(name)}: this store is of other documents or another "
                    "tokenization: choose another folder, or, if the table was replaced, "
                    f"{repair_step(store)}"
                )
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:  # Arrow's own have none
            raise StoreError(
                f"{store.at(name)}: cannot be read ({error.strerror}): check the disk, run again"
            ) from error
        return False
    return not shorter


def _groups(
    make: Callable[[Documents, Integers, range], pa.Table], documents: Documents, starts: Integers
) -> Iterator[pa.Table]:
    for first in range(0, len(documents), GROUP_DOCUMENTS):
        yield make(documents, starts, range(first, min(len(documents), first + GROUP_DOCUMENTS)))


def _document_group(documents: Documents, starts: Integers, part: range) -> pa.Table:
    rows = documents.columns(part)
    columns = [
        rows.document_ids,
        starts[part.start : part.stop],
        documents.lengths[part.start : part.stop],
        rows.counts,
        [documents.tokens_sha256(index) for index in part],
        rows.question_ids,
    ]
    return _table(columns, _DOCUMENTS)


def _chunk_group(documents: Documents, starts: Integers, part: range) -> pa.Table:
    rows = documents.columns(part)
    columns = [
        np.repeat(np.arange(part.start, part.stop), rows.counts),
        np.concatenate([np.arange(count) for count in rows.counts]),
        np.repeat(starts[part.start : part.stop], rows.counts) + rows.firsts,
        rows.lengths,
        rows.days,
        np.concatenate([_buckets(count) for count in rows.counts]),
    ]
    return _table(columns, _CHUNKS)


def _table(columns: list[Any], schema: pa.Schema) -> pa.Table:
    arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


@functools.lru_cache(maxsize=1024)
def _buckets(chunks: int) -> npt.NDArray[np.int8]:
    """[chunks] bucket of every chunk of a document."""
    return np.array([BUCKETS.index(bucket_of(i, chunks)) for i in range(chunks)], np.int8)
