"""A document of a store, checked, before its states are there."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from ...common.errors import StoreError
from .layout import TOKEN_SENTINEL
from .schema import DocumentEntry, Integers


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
