"""The documents of a finished store, for writers that extend or merge it."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..format.layout import DOCUMENTS
from ..format.ledger import damaged
from ..format.schema import DocumentEntry
from ..places.open import place_of
from ..places.protocol import Place
from .reader import FeatureStore


def stored_entries(path: Path | str | Place) -> Iterator[DocumentEntry]:
    """The documents of a finished store, one after another, as they were passed to its writer.

    Raises:
        StoreError: the store is missing, unfinished or damaged.
    """
    store = FeatureStore(path)
    for index, question_ids in zip(range(len(store)), _question_ids(place_of(path)), strict=True):
        document = store.read(index, layers=())
        yield DocumentEntry(
            document_id=document.document_id,
            token_ids=document.token_ids.numpy(),
            chunk_of_token=document.chunk_index.numpy(),
            days=store.days(index),
            question_ids=tuple(question_ids),
        )


def _question_ids(store: Place) -> Iterator[list[str]]:
    try:
        file = pq.ParquetFile(store.arrow(DOCUMENTS), page_checksum_verification=True)
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group, ["question_ids"])["question_ids"].to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise damaged(store, DOCUMENTS, f"cannot be read ({error})") from error
