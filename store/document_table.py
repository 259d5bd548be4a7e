"""Reading the documents' tables: random access, a row group at a time."""

import functools
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import StoreError
from .layout import CHUNKS, DOCUMENTS
from .place import Place
from .schema import Integers
from .tables import GROUP_DOCUMENTS

_CACHED_GROUPS = 256
_COLUMNS = ["document_id", "first_token", "tokens", "chunks", "tokens_sha256"]


@dataclass(frozen=True, eq=False, slots=True)
class DocumentRow:
    """What the tables know of one document."""

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
    tokens_sha256: str
    """Over the ids as little-endian uint32: what makes two documents the same."""

    @property
    def exact_days(self) -> tuple[int | None, ...]:
        """Day of every chunk, None for none."""
        return tuple(
            int(day) if known else None for day, known in zip(self.days, self.dated, strict=True)
        )


class _Group:
    """The columns of one row group of both tables; rows are made when they are asked for."""

    def __init__(self, documents: pa.Table, chunks: pa.Table) -> None:
        self._ids = documents["document_id"].combine_chunks()
        self._digests = documents["tokens_sha256"].combine_chunks()
        self._first = _integers(documents["first_token"])
        self._tokens = _integers(documents["tokens"])
        self._chunk = np.append(0, np.cumsum(_integers(documents["chunks"])))
        if int(self._chunk[-1]) != len(chunks):
            raise IndexError("the chunks are not those of the documents")
        self._chunk_first = _integers(chunks["first_token"])
        self._dated = np.asarray(chunks["day"].is_valid())
        self._days = _integers(chunks["day"].fill_null(-1))
        self._buckets = _integers(chunks["bucket"])

    def row(self, index: int) -> DocumentRow:
        part = slice(int(self._chunk[index]), int(self._chunk[index + 1]))
        start, tokens = int(self._first[index]), int(self._tokens[index])
        spans = np.empty(part.stop - part.start + 1, np.int64)
        np.subtract(self._chunk_first[part], start, out=spans[:-1])
        spans[-1] = tokens
        return DocumentRow(
            document_id=self._ids[index].as_py(),
            first_token=start,
            tokens=tokens,
            spans=spans,
            days=self._days[part],
            dated=self._dated[part],
            buckets=self._buckets[part],
            tokens_sha256=self._digests[index].as_py(),
        )


class DocumentTable:
    """Random access to the documents of a store; safe in threads, reads only what is asked."""

    def __init__(self, store: Place) -> None:
        """Open the tables of `store`.

        Raises:
            StoreError: one of them is missing or damaged.
        """
        self._store = store
        self._lock = threading.Lock()
        self._groups: OrderedDict[int, _Group] = OrderedDict()
        with _damage(store):
            self._documents = _open(store, DOCUMENTS)
            self._chunks = _open(store, CHUNKS)
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

    def row(self, index: int) -> DocumentRow:
        """Everything about one document. Raises: StoreError."""
        number, within = divmod(index, GROUP_DOCUMENTS)
        with self._lock, _damage(self._store):
            group = self._groups.get(number)
            if group is None:
                documents = self._documents.read_row_group(number, _COLUMNS)
                group = _Group(documents, self._chunks.read_row_group(number))
                self._groups[number] = group
                if len(self._groups) > _CACHED_GROUPS:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(number)
            return group.row(within)

    def _column(self, name: str) -> Integers:
        with self._lock, _damage(self._store):
            return _integers(self._documents.read([name])[name])


def _open(store: Place, name: str) -> Any:  # noqa: ANN401  a pyarrow.parquet.ParquetFile
    return pq.ParquetFile(store.arrow(name), page_checksum_verification=True)


def _integers(column: Any) -> Integers:  # noqa: ANN401  a pyarrow.ChunkedArray
    return np.asarray(column.to_numpy()).astype(np.int64)


class _damage:
    """Turns what Arrow raises on a damaged or missing table into a StoreError."""

    def __init__(self, store: Place) -> None:
        self._store = store

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | pa.ArrowException | KeyError | IndexError):
            raise StoreError(
                f"{self._store}: {DOCUMENTS} or {CHUNKS} is missing or damaged "
                f"({' '.join(str(error).split())[:200]}): run `latentcomp store verify`"
            ) from error
