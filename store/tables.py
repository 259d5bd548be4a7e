"""Documents and chunks as Parquet: which tokens are whose, and when they were written."""

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import StoreError
from .layout import CHUNKS, DOCUMENTS, TOKEN_SENTINEL
from .records import BUCKETS, bucket_of
from .schema import DocumentEntry, Integers

GROUP_DOCUMENTS = 4096
"""Documents per row group in both tables; a reader fetches only the groups that it needs."""
_CACHED_GROUPS = 64

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


@dataclass(frozen=True, eq=False, slots=True)
class DocumentRow:
    """What the tables know of one document."""

    document_id: str
    first_token: int
    """Within the store."""
    tokens: int
    spans: Integers
    """As in `Entry`."""
    days: Integers
    """[chunks] day, -1 for none."""
    exact_days: tuple[int | None, ...]
    """The same, None for none."""
    buckets: Integers
    """[chunks] 0 early, 1 middle, 2 late."""
    tokens_sha256: str
    """As in `Entry`."""


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


def check_entries(entries: Sequence[DocumentEntry]) -> tuple[Entry, ...]:
    """Check all documents of a store.

    Raises:
        StoreError: none at all, two with the same id, or one that is not sound.
    """
    if not entries:
        raise StoreError("no documents to store: the corpus is empty, give at least one document")
    seen: set[str] = set()
    for entry in entries:
        if entry.document_id in seen:
            raise StoreError(f"two documents are called {entry.document_id!r}: rename one")
        seen.add(entry.document_id)
    return tuple(check_entry(entry) for entry in entries)


def plan_tables(
    store: Path, entries: Sequence[Entry], starts: Integers, extend: bool
) -> dict[Path, list[pa.Table]]:
    """The tables that are still to be written, after a look at those that are there.

    Args:
        store: folder of the store.
        entries: every document.
        starts: [documents] first token of each.
        extend: allow tables that end earlier; they are to be written again.

    Returns:
        path -> row groups.

    Raises:
        StoreError: the store is of other documents.
    """
    groups = [_group(entries, starts, first) for first in range(0, len(entries), GROUP_DOCUMENTS)]
    plan = {}
    for name, tables in ((DOCUMENTS, [g[0] for g in groups]), (CHUNKS, [g[1] for g in groups])):
        path, wanted = store / name, pa.concat_tables(tables)
        found = _read(path) if path.exists() else wanted.slice(0, 0)
        prefix = found.equals(wanted.slice(0, len(found)))
        if not prefix or (path.exists() and len(found) < len(wanted) and not extend):
            raise StoreError(
                f"{path}: this store is of other documents or another tokenization: "
                "choose another folder, or delete this one"
            )
        if len(found) < len(wanted) or not path.exists():
            plan[path] = tables
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


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{path}: cannot be read: run `latentcomp store verify`") from error


class DocumentTable:
    """Random access to the documents of a store; safe in threads, reads only what is asked."""

    def __init__(self, store: Path) -> None:
        """Open the tables of `store`.

        Raises:
            StoreError: one of them is missing or damaged.
        """
        self._store = store
        self._lock = threading.Lock()
        self._groups: OrderedDict[int, tuple[DocumentRow, ...]] = OrderedDict()
        with _damage(store):
            self._documents = pq.ParquetFile(store / DOCUMENTS, page_checksum_verification=True)
            self._chunks = pq.ParquetFile(store / CHUNKS, page_checksum_verification=True)
        self.documents = int(self._documents.metadata.num_rows)
        self.chunks = int(self._chunks.metadata.num_rows)

    @functools.cached_property
    def document_ids(self) -> tuple[str, ...]:
        """Every id, in the order of the store; read once, when first asked for.

        Raises:
            StoreError: the table is damaged.
        """
        with self._lock, _damage(self._store):
            return tuple(self._documents.read(["document_id"])["document_id"].to_pylist())

    @functools.cached_property
    def starts(self) -> Integers:
        """[documents] first token of every document; read once. Raises: StoreError."""
        return self._column("first_token")

    @functools.cached_property
    def lengths(self) -> Integers:
        """[documents] tokens of every document; read once. Raises: StoreError."""
        return self._column("tokens")

    @property
    def tokens(self) -> int:
        """Length of the token axis. Raises: StoreError."""
        return int((self.starts + self.lengths).max())

    def _column(self, name: str) -> Integers:
        with self._lock, _damage(self._store):
            return np.array(self._documents.read([name])[name].to_numpy(), np.int64)

    def row(self, index: int) -> DocumentRow:
        """Everything about one document. Raises: StoreError."""
        group, within = divmod(index, GROUP_DOCUMENTS)
        with self._lock:
            rows = self._groups.get(group)
            if rows is None:
                with _damage(self._store):
                    rows = self._load(group)
                self._groups[group] = rows
                if len(self._groups) > _CACHED_GROUPS:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(group)
        return rows[within]

    def _load(self, group: int) -> tuple[DocumentRow, ...]:
        documents = self._documents.read_row_group(group).to_pydict()
        chunks = self._chunks.read_row_group(group)
        first_chunk = np.cumsum([0, *documents["chunks"]])
        first, bucket = chunks["first_token"].to_numpy(), chunks["bucket"].to_numpy()
        days = chunks["day"].fill_null(-1).to_numpy()
        plain = chunks["day"].to_pylist()
        rows = []
        for i, name in enumerate(documents["document_id"]):
            part = slice(int(first_chunk[i]), int(first_chunk[i + 1]))
            start, tokens = documents["first_token"][i], documents["tokens"][i]
            spans = np.append(first[part] - start, tokens).astype(np.int64)
            digest = documents["tokens_sha256"][i]
            exact = tuple(plain[part])
            rows.append(
                DocumentRow(name, start, tokens, spans, days[part], exact, bucket[part], digest)
            )
        return tuple(rows)


class _damage:
    """Turns what Arrow raises on a damaged or missing table into a StoreError."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | pa.ArrowException | KeyError | IndexError):
            raise StoreError(
                f"{self._store}: {DOCUMENTS} or {CHUNKS} is missing or damaged "
                f"({' '.join(str(error).split())[:200]}): run `latentcomp store verify`"
            ) from error
