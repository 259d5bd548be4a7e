"""Checking the documents of a store against its token ids, which come shard by shard."""

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import StoreError
from ..format.documents import first_equal
from ..format.layout import DOCUMENTS
from ..format.schema import Integers
from ..places.protocol import Place
from ..read.document_table import DocumentTable

Report = Callable[[str, str], None]
"""Takes file and message of a problem."""


class DocumentCheck:
    """Takes the token ids of a store in order, and holds those of no document.

    One with the tokens of an earlier one must share its place; then it has its ids, too.
    """

    def __init__(self, store: Place, table: DocumentTable, report: Report) -> None:
        """Check where the documents lie.

        Raises:
            StoreError: the table is damaged.
        """
        self._table, self._report = table, report
        self._digests = _digests(store)
        firsts, lengths = first_equal(self._digests), table.lengths
        if len(firsts) != len(lengths) or (lengths <= 0).any():
            raise StoreError(f"{store.at(DOCUMENTS)}: a document has no tokens")
        own = firsts == np.arange(len(firsts))
        starts = (np.cumsum(np.where(own, lengths, 0)) - lengths)[firsts]
        self._misplaced = starts != table.starts
        self._own: Integers = np.flatnonzero(own)
        for index in np.flatnonzero(lengths != lengths[firsts]).tolist():
            self._problem(index, "token ids do not fit")
        self._next, self._left = 0, int(lengths[self._own[0]])
        self._hash, self._readable = hashlib.sha256(), True

    def feed(self, ids: npt.NDArray[np.uint32] | None, tokens: int) -> None:
        """Take the next so many token ids; None where they cannot be read, which was reported."""
        data = None if ids is None else np.ascontiguousarray(ids, "<u4").data.cast("B")
        done = 0
        while done < tokens and self._next < len(self._own):
            count = min(self._left, tokens - done)
            if data is None:
                self._readable = False
            else:
                self._hash.update(data[4 * done : 4 * (done + count)])
            done += count
            self._left -= count
            if self._left == 0:
                self._end_of_document()

    def _end_of_document(self) -> None:
        index = int(self._own[self._next])
        if self._readable and self._hash.digest() != self._digests[index].tobytes():
            self._problem(index, "token ids do not fit")
        self._hash, self._readable, self._next = hashlib.sha256(), True, self._next + 1
        if self._next < len(self._own):
            self._left = int(self._table.lengths[self._own[self._next]])

    def finish(self) -> None:
        """Check the chunks of all documents, after the last token. Raises: StoreError."""
        if self._next < len(self._own):
            self._report(DOCUMENTS, "the documents have more tokens than the store")
        for index in np.flatnonzero(self._misplaced).tolist():
            self._problem(index, "token spans do not fit")
        for index in range(self._table.documents):
            spans = self._table.row(index).spans
            if not self._misplaced[index] and (spans[0] != 0 or (np.diff(spans) < 0).any()):
                self._problem(index, "token spans do not fit")

    def _problem(self, index: int, message: str) -> None:
        # Not from its row: the table gives no row of documents that do not fit their chunks.
        self._report(DOCUMENTS, f"{self._table.document_ids[index]!r}: {message}")


def _digests(store: Place) -> npt.NDArray[np.uint8]:
    """[documents, 32] SHA-256 of the token ids of every document. Raises: StoreError."""
    parts = []
    try:
        file = pq.ParquetFile(store.arrow(DOCUMENTS), page_checksum_verification=True)
        for group in range(file.num_row_groups):
            column = file.read_row_group(group, ["tokens_sha256"])["tokens_sha256"].to_pylist()
            data = bytes.fromhex("".join(column))
            parts.append(np.frombuffer(data, np.uint8).reshape(len(column), 32))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"{store.at(DOCUMENTS)}: cannot be read ({error})") from error
    return np.concatenate(parts)
