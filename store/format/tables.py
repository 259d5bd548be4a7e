"""Documents and chunks as Parquet: token spans, days and buckets."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.buckets import BUCKETS, bucket_of
from ...common.errors import StoreError
from ..places.protocol import Place, exists
from .layout import CHUNKS, DOCUMENTS, TOKEN_SENTINEL
from .schema import DocumentEntry, Integers

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


@dataclass(frozen=True, eq=False)
class Entry:
    """A checked `DocumentEntry`."""

    document_id: str
    token_ids: Integers
    """[tokens]"""
    spans: Integers
    """[chunks + 1] first token of every chunk within the document, then the number of tokens."""
    days: tuple[int | None, ...]
    question_ids: tuple[str, ...]

    @functools.cached_property
    def tokens_sha256(self) -> str:
        """Over the ids as little-endian uint32: what makes two documents the same."""
        return hashlib.sha256(self.token_ids.astype("<u4").tobytes()).hexdigest()


def check_entry(entry: DocumentEntry) -> Entry:
    """Turn a `DocumentEntry` into arrays.

    Raises:
        StoreError: no tokens, no chunks, lengths that differ, chunks that go back.
    """
    ids = np.asarray(entry.token_ids, np.int64)
    chunk = np.asarray(entry.chunk_of_token, np.int64)
    name, chunks = f"document {entry.document_id!r}", len(entry.days)
    if ids.ndim != 1 or not ids.size:
        raise StoreError(f"{name} has no tokens: leave it out of the corpus")
    if chunk.shape != ids.shape:
        raise StoreError(f"{name} has {ids.size} tokens but {chunk.size} chunk indices")
    if not 0 <= int(ids.min()) <= int(ids.max()) < TOKEN_SENTINEL:
        raise StoreError(f"{name} has token ids outside 0 .. 2**32 - 2: check the tokenizer")
    if not 0 <= int(chunk[0]) <= int(chunk[-1]) < chunks or (np.diff(chunk) < 0).any():
        raise StoreError(f"{name}: chunk indices must ascend within 0 .. {chunks - 1}")
    spans = np.searchsorted(chunk, np.arange(chunks + 1))
    return Entry(entry.document_id, ids, spans, entry.days, entry.question_ids)


def check_entries(entries: Sequence[DocumentEntry | Entry]) -> tuple[Entry, ...]:
    """Check all documents of a store; entries that were checked already are kept.

    Raises:
        StoreError: none at all, two with the same id, or an invalid one.
    """
    if not entries:
        raise StoreError("no documents to store: the corpus is empty, give at least one document")
    seen: set[str] = set()
    for entry in entries:
        if entry.document_id in seen:
            raise StoreError(f"two documents are called {entry.document_id!r}: rename one")
        seen.add(entry.document_id)
    return tuple(e if isinstance(e, Entry) else check_entry(e) for e in entries)


def plan_tables(
    store: Place, entries: Sequence[Entry], starts: Integers, extend: bool
) -> dict[str, list[pa.Table]]:
    """The tables that are still to be written, given those that exist.

    Args:
        store: place of the store.
        entries: every document.
        starts: [documents] first token of each.
        extend: allow existing tables that are a prefix; they are written again.

    Returns:
        file -> row groups.

    Raises:
        StoreError: the store is of other documents.
    """
    groups = [_group(entries, starts, first) for first in range(0, len(entries), GROUP_DOCUMENTS)]
    plan = {}
    # In this order they are written: documents that a reader sees always have their chunks.
    for name, tables in ((CHUNKS, [g[1] for g in groups]), (DOCUMENTS, [g[0] for g in groups])):
        present, wanted = exists(store, name), pa.concat_tables(tables)
        existing = _read(store, name) if present else wanted.slice(0, 0)
        prefix = existing.equals(wanted.slice(0, len(existing)))
        if not prefix or (present and len(existing) < len(wanted) and not extend):
            raise StoreError(
                f"{store.at(name)}: this store is of other documents or another tokenization: "
                "choose another folder, or delete this one"
            )
        if len(existing) < len(wanted) or not present:
            plan[name] = tables
    return plan


def _group(entries: Sequence[Entry], starts: Integers, first: int) -> tuple[pa.Table, pa.Table]:
    documents, chunks = [], []
    for index, entry in enumerate(entries[first : first + GROUP_DOCUMENTS], start=first):
        count, start = len(entry.days), int(starts[index])
        documents.append(
            {
                "document_id": entry.document_id,
                "first_token": start,
                "tokens": len(entry.token_ids),
                "chunks": count,
                "tokens_sha256": entry.tokens_sha256,
                "question_ids": list(entry.question_ids),
            }
        )
        for chunk, day in enumerate(entry.days):
            chunks.append(
                {
                    "document": index,
                    "chunk": chunk,
                    "first_token": start + int(entry.spans[chunk]),
                    "tokens": int(entry.spans[chunk + 1] - entry.spans[chunk]),
                    "day": day,
                    "bucket": BUCKETS.index(bucket_of(chunk, count)),
                }
            )
    return (
        pa.Table.from_pylist(documents, schema=_DOCUMENTS),
        pa.Table.from_pylist(chunks, schema=_CHUNKS),
    )


def _read(store: Place, name: str) -> pa.Table:
    try:
        return pq.read_table(store.arrow(name))
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"{store.at(name)}: cannot be read: run `latentcomp store verify`"
        ) from error
