"""Growing a store: what it holds, followed by what is new."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import StoreError
from ..format.layout import DOCUMENTS
from ..format.schema import DocumentEntry
from ..places.open import place_of
from ..places.protocol import Place
from ..read.reader import FeatureStore


def stored_entries(path: Path | str | Place) -> tuple[DocumentEntry, ...]:
    """The documents of a finished store, as they were given to its writer.

    Raises:
        StoreError: no store, an unfinished or a damaged one.
    """
    store = FeatureStore(path)
    asked = _question_ids(place_of(path))
    entries = []
    for index, question_ids in zip(range(len(store)), asked, strict=True):
        found = store.read(index, layers=())
        entries.append(
            DocumentEntry(
                document_id=found.document_id,
                token_ids=found.token_ids.numpy(),
                chunk_of_token=found.chunk_index.numpy(),
                days=store.days(index),
                question_ids=tuple(question_ids),
            )
        )
    return tuple(entries)


def extended_entries(
    path: Path | str | Place, entries: Sequence[DocumentEntry]
) -> tuple[DocumentEntry, ...]:
    """What to give to `StoreWriter(..., extend=True)`: the stored documents, then the new ones.

    A document that is already stored under the same id is left out; one with the same tokens
    under another id is kept, and the writer stores its states only once.

    Raises:
        StoreError: a stored document has the id but not the tokens of a new one.
    """
    stored = stored_entries(path)
    known = {entry.document_id: np.asarray(entry.token_ids) for entry in stored}
    new = []
    for entry in entries:
        present = known.get(entry.document_id)
        if present is None:
            new.append(entry)
        elif not np.array_equal(present, np.asarray(entry.token_ids)):
            raise StoreError(
                f"{path}: document {entry.document_id!r} is already stored with other tokens: "
                "rename it, or extract into another folder"
            )
    return (*stored, *new)


def _question_ids(store: Place) -> list[list[str]]:
    try:
        table = pq.read_table(store.arrow(DOCUMENTS), columns=["question_ids"])
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{store.at(DOCUMENTS)}: cannot be read: run `store verify`") from error
    return list(table["question_ids"].to_pylist())
