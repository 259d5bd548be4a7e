"""Reading the documents' tables: random access, a row group at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import StoreError
from ...common.forks import ForkLock, lazy
from ..format.layout import CHUNKS, DOCUMENTS
from ..format.schema import Integers
from ..format.steps import repair_step
from ..format.tables import GROUP_DOCUMENTS
from ..places.protocol import Place, UnreachableError

_CACHED_GROUPS = 256
_DOCUMENT_COLUMNS = ["document_id", "first_token", "tokens", "chunks"]
_HASHES = "tokens_sha256"
_CHUNK_COLUMNS = ["first_token", "day", "bucket"]


@dataclass(frozen=True, eq=False, slots=True)
class DocumentRow:
    """One document in the tables."""

    document_id: str
    first_token: int
    """Within the store."""
    tokens: int
    spans: Integers
    """[chunks + 1] first token of every chunk within the document, then the number of tokens."""
    days: Integers
    """[chunks] day, -1 for none."""
    dated: npt.NDArray[np.bool_]
    """[chunks] True where the source had a day."""
    buckets: Integers
    """[chunks] 0 early, 1 middle, 2 late."""
    tokens_sha256: str | None = None
    """Of its token ids, where the table was opened with hashes."""

    @property
    def exact_days(self) -> tuple[int | None, ...]:
        """Day of every chunk, None for none."""
        return tuple(
            int(day) if dated else None for day, dated in zip(self.days, self.dated, strict=True)
        )


class _Strings:
    """Strings of an Arrow array, without Arrow's scalars, which take longer than a small read."""

    def __init__(self, array: Any) -> None:  # noqa: ANN401  a pyarrow.StringArray
        _, offsets, data = array.buffers()
        first = array.offset
        self._offsets = np.frombuffer(offsets, "<i4")[first : first + len(array) + 1].tolist()
        self._data = memoryview(data or b"")

    def __getitem__(self, index: int) -> str:
        return str(self._data[self._offsets[index] : self._offsets[index + 1]], "utf-8")


class _Group:
    """The columns of one row group of both tables; rows are built on demand."""

    def __init__(self, documents: pa.Table, chunks: pa.Table) -> None:
        self._ids = _Strings(documents["document_id"].combine_chunks())
        hashes = _HASHES in documents.column_names
        self._hashes = _Strings(documents[_HASHES].combine_chunks()) if hashes else None
        self._first = _integers(documents["first_token"])
        self._tokens = _integers(documents["tokens"])
        self._chunk = np.append(0, np.cumsum(_integers(documents["chunks"])))
        if int(self._chunk[-1]) > len(chunks):  # more: of documents that are being appended
            raise IndexError("the chunks are not those of the documents")
        self._chunk_first = _integers(chunks["first_token"])
        self._dated = _integers(chunks["day"].is_valid().cast(pa.uint8())).astype(np.bool_)
        self._days = _integers(chunks["day"].fill_null(-1))
        self._buckets = _integers(chunks["bucket"])
        self._check()
        for shared in (self._days, self._dated, self._buckets):
            shared.setflags(write=False)  # readers get views of these

    def _check(self) -> None:
        """Raises: IndexError: numbers that no writer makes, though the checksums are right."""
        counts = np.diff(self._chunk)
        if (counts < 1).any():
            raise IndexError("a document has no chunks")
        start, stop = np.repeat(self._first, counts), np.repeat(self._first + self._tokens, counts)
        used = slice(0, int(self._chunk[-1]))
        first, bucket = self._chunk_first[used], self._buckets[used]
        falls = np.diff(first) < 0
        falls[self._chunk[1:-1] - 1] = False  # from one document to the next
        wrong = (self._first < 0) | (self._tokens < 1)
        if (
            wrong.any()
            or falls.any()
            or ((first < start) | (first > stop) | (bucket < 0) | (bucket > 2)).any()
            or (first[self._chunk[:-1]] != self._first).any()
        ):
            raise IndexError("spans, counts or buckets are impossible")

    def row(self, index: int) -> DocumentRow:
        part = slice(int(self._chunk[index]), int(self._chunk[index + 1]))
        start, tokens = int(self._first[index]), int(self._tokens[index])
        spans = np.empty(part.stop - part.start + 1, np.int64)
        np.subtract(self._chunk_first[part], start, out=spans[:-1])
        spans[-1] = tokens
        return DocumentRow(
            document_id=self._ids[index],
            first_token=start,
            tokens=tokens,
            spans=spans,
            days=self._days[part],
            dated=self._dated[part],
            buckets=self._buckets[part],
            tokens_sha256=self._hashes[index] if self._hashes else None,
        )


class DocumentTable:
    """Random access to the documents of a store, by row group; threads may share it."""

    def __init__(self, store: Place, hashes: bool = False) -> None:
        """Open the tables of `store`.

        Args:
            store: place of the store.
            hashes: read `tokens_sha256` of every row, too.

        Raises:
            StoreError: one of them is missing or damaged.
        """
        self._store = store
        self._wanted = [*_DOCUMENT_COLUMNS, *([_HASHES] if hashes else [])]
        self._lock = ForkLock()
        self._groups: dict[int, _Group] = {}
        with _damage(store):
            self._documents = _open(store, DOCUMENTS)
            self._chunks = _open(store, CHUNKS)
        self.documents = int(self._documents.metadata.num_rows)
        self.chunks = int(self._chunks.metadata.num_rows)

    @lazy
    def document_ids(self) -> tuple[str, ...]:
        """Every id, in the order of the store; read once, on first use.

        Raises:
            StoreError: the table is damaged.
        """
        return self._strings("document_id")

    @lazy
    def starts(self) -> Integers:
        """[documents] first token of every document; read once. Raises: StoreError."""
        return self._column("first_token")

    @lazy
    def lengths(self) -> Integers:
        """[documents] tokens of every document; read once. Raises: StoreError."""
        return self._column("tokens")

    @property
    def tokens(self) -> int:
        """Length of the token axis. Raises: StoreError."""
        return int((self.starts + self.lengths).max())

    @lazy
    def tokens_sha256(self) -> tuple[str, ...]:
        """SHA-256 over every document's ids as little-endian uint32: equal for equal documents.

        Raises:
            StoreError: the table is damaged.
        """
        return self._strings(_HASHES)

    def row(self, index: int) -> DocumentRow:
        """Everything about one document. Raises: StoreError."""
        number, within = divmod(index, GROUP_DOCUMENTS)
        group = self._groups.get(number)
        return (group or self._load(number)).row(within)

    def _load(self, number: int) -> _Group:
        with self._lock, _damage(self._store):
            # For so little data, Arrow is slower with its own threads.
            documents = self._documents.read_row_group(number, self._wanted, use_threads=False)
            chunks = self._chunks.read_row_group(number, _CHUNK_COLUMNS, use_threads=False)
            group = self._groups[number] = _Group(documents, chunks)
            if len(self._groups) > _CACHED_GROUPS:
                del self._groups[next(iter(self._groups))]
            return group

    def _strings(self, name: str) -> tuple[str, ...]:
        with self._lock, _damage(self._store):
            return tuple(self._documents.read([name])[name].to_pylist())

    def _column(self, name: str) -> Integers:
        with self._lock, _damage(self._store):
            return _integers(self._documents.read([name])[name])


def _open(store: Place, name: str) -> Any:  # noqa: ANN401  a pyarrow.parquet.ParquetFile
    return pq.ParquetFile(store.arrow(name), page_checksum_verification=True)


def _integers(column: Any) -> Integers:  # noqa: ANN401  a pyarrow.ChunkedArray
    # Not `to_numpy`: it imports pandas if installed, which takes most of a first read.
    return np.from_dlpack(column.combine_chunks()).astype(np.int64)


class _damage:
    """Turns errors of Arrow on a damaged or missing table into a StoreError."""

    def __init__(self, store: Place) -> None:
        self._store = store

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnreachableError):
            raise StoreError(
                f"{self._store}: {error.strerror}: {error.step} and run again"
            ) from error
        if isinstance(error, OSError | pa.ArrowException | KeyError | IndexError):
            raise StoreError(
                f"{self._store}: {DOCUMENTS} or {CHUNKS} is missing or damaged "
                f"({' '.join(str(error).split())[:200]}): {repair_step(self._store)}"
            ) from error
