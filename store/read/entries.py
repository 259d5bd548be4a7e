"""The documents of a finished store, for writers that extend or merge it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import StoreError
from ..format.layout import DOCUMENTS
from ..format.schema import DocumentEntry
from ..places.open import place_of
from ..places.protocol import Place
from .reader import FeatureStore


def stored_entries(path: Path | str | Place) -> tuple[DocumentEntry, ...]:
    """The documents of a finished store, as they were passed to its writer.

    Raises:
        StoreError: the store is missing, unfinished or damaged.
    """
    store = FeatureStore(path)
    question_ids_of = _question_ids(place_of(path))
    entries = []
    for index, question_ids in zip(range(len(store)), question_ids_of, strict=True):
        document = store.read(index, layers=())
        entries.append(
            DocumentEntry(
                document_id=document.document_id,
                token_ids=document.token_ids.numpy(),
                chunk_of_token=document.chunk_index.numpy(),
                days=store.days(index),
                question_ids=tuple(question_ids),
            )
        )
    return tuple(entries)


def _question_ids(store: Place) -> list[list[str]]:
    try:
        table = pq.read_table(store.arrow(DOCUMENTS), columns=["question_ids"])
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{store.at(DOCUMENTS)}: cannot be read: run `store verify`") from error
    return list(table["question_ids"].to_pylist())
