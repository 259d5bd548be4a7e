"""All documents of a store before its states are there: checked, and kept out of memory.

Per document 56 bytes stay in memory; tokens, chunks and ids lie in a `Spool`, one after another,
so that a shard's token ids are read in order.
"""

import functools
import hashlib
import json
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from ...common.errors import StoreError
from ...common.spool import Spool
from .entry import Entry, check_entry
from .schema import DocumentEntry, Integers

_HEAD = struct.Struct("<3Q")
"""Tokens, chunks, bytes of the JSON of ids and days."""
_TO_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Columns:
    """Some documents in a row, column by column."""

    document_ids: list[str]
    question_ids: list[list[str]]
    counts: list[int]
    """[documents] number of chunks."""
    days: list[int | None]
    """[chunks] of all of them."""
    firsts: Integers
    """[chunks] first token of every chunk within its document."""
    lengths: Integers
    """[chunks] tokens of every chunk."""


class Documents(Sequence[Entry]):
    """The documents of a store, in its order; `documents[i]` is read when it is asked for."""

    def __init__(self, entries: Iterable[DocumentEntry | Entry]) -> None:
        """Check and keep them one after another.

        Raises:
            StoreError: none at all, two with the same id, or an invalid one.
        """
        self._spool = Spool()
        self._offsets, tokens, names = array("q", [0]), array("q"), array("Q")
        digests = bytearray()
        self.chunks = 0
        """Of all documents together."""
        for given in entries:
            entry = given if isinstance(given, Entry) else check_entry(given)
            record = _packed(entry)
            self._spool.append(record)
            self._offsets.append(self._offsets[-1] + len(record))
            tokens.append(len(entry.token_ids))
            names.append(_name_hash(entry.document_id))
            digests += bytes.fromhex(entry.tokens_sha256)
            self.chunks += len(entry.days)
        if not tokens:
            raise StoreError(
                "no documents to store: the corpus is empty, give at least one document"
            )
        self.lengths: Integers = np.array(tokens, np.int64)
        """[documents] tokens of every document."""
        self._digests = np.frombuffer(bytes(digests), np.uint8).reshape(-1, 32)
        self._check_names(np.array(names, np.uint64))

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        return _unpacked(self._record(index, 0, self._offsets[index + 1] - self._offsets[index]))

    def __iter__(self) -> Iterator[Entry]:
        return (self[i] for i in range(len(self)))

    def columns(self, part: range) -> Columns:
        """Everything but the tokens of adjacent documents: much faster than one by one."""
        start = self._offsets[part.start]
        data = self._spool.read(start, self._offsets[part.stop] - start)
        names, questions, counts, days, spans = [], [], [], [], []
        for index in part:
            at = self._offsets[index] - start
            tokens, chunks, size = _HEAD.unpack_from(data, at)
            at += _HEAD.size + 4 * tokens
            text = at + 8 * (chunks + 1)
            name, asked_ids, document_days = json.loads(data[text : text + size])
            names.append(name)
            questions.append(asked_ids)
            counts.append(chunks)
            days += document_days
            spans.append(data[at:text])
        ends = np.cumsum(np.array(counts) + 1) - 1
        bounds = np.frombuffer(b"".join(spans), "<i8").astype(np.int64)
        lengths = np.delete(np.diff(bounds), ends[:-1])
        return Columns(names, questions, counts, days, np.delete(bounds, ends), lengths)

    def token_ids(self, index: int) -> Integers:
        """[tokens] of one document, a copy."""
        return np.frombuffer(
            self._record(index, _HEAD.size, 4 * int(self.lengths[index])), "<u4"
        ).astype(np.int64)

    def tokens_sha256(self, index: int) -> str:
        """As `Entry.tokens_sha256`."""
        digest: bytes = self._digests[index].tobytes()
        return digest.hex()

    @functools.cached_property
    def firsts(self) -> Integers:
        """[documents] index of the first document with the same tokens."""
        return first_equal(self._digests)

    def _record(self, index: int, start: int, size: int) -> bytes:
        return self._spool.read(self._offsets[index] + start, size)

    def _check_names(self, hashes: npt.NDArray[np.uint64]) -> None:
        order, group = _groups(hashes[:, None])
        shared = np.bincount(group)[group] > 1
        seen: set[str] = set()
        for index in np.sort(order[shared]).tolist():
            name = self[index].document_id
            if name in seen:
                raise StoreError(f"two documents are called {name!r}: rename one")
            seen.add(name)


def first_equal(digests: npt.NDArray[np.uint8]) -> Integers:
    """[n] index of the first of [n, 32] rows that is equal to each."""
    order, group = _groups(digests.view("<u8"))
    begins = np.flatnonzero(np.diff(group, prepend=-1))
    firsts = np.empty(len(order), np.int64)
    firsts[order] = order[begins][group]
    return firsts


def _groups(keys: npt.NDArray[np.uint64]) -> tuple[Integers, Integers]:
    """Rows [n, words] sorted, equal ones in their order: their indices, and numbers of groups."""
    order = np.lexsort(keys.T)
    ordered = keys[order]
    changes = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order.astype(np.int64), np.concatenate([[0], np.cumsum(changes)]).astype(np.int64)


def _name_hash(name: str) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise StoreError(
            f"{ascii(text[:60])}: the id of a document or question is no text that can be written "
            f"({error.reason}): rename it"
        ) from error


def _packed(entry: Entry) -> bytes:
    text = _utf8(
        json.dumps([entry.document_id, entry.question_ids, entry.days], ensure_ascii=False)
    )
    head = _HEAD.pack(len(entry.token_ids), len(entry.days), len(text))
    ids = entry.token_ids.astype("<u4").tobytes()
    return b"".join([head, ids, entry.spans.astype("<i8").tobytes(), text])


def _unpacked(record: bytes) -> Entry:
    tokens, chunks, _ = _HEAD.unpack_from(record)
    ids = np.frombuffer(record, "<u4", tokens, _HEAD.size).astype(np.int64)
    at = _HEAD.size + 4 * tokens
    spans = np.frombuffer(record[at : at + 8 * (chunks + 1)], "<i8").astype(np.int64)
    name, questions, days = json.loads(record[at + 8 * (chunks + 1) :])
    return Entry(name, ids, spans, tuple(days), tuple(questions))
