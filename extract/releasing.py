"""Releasing documents from an engine's cache once their shards are committed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from ..store.write.pipeline import max_in_flight
from ..store.write.writer import StoreWriter
from .batches import BATCHES_PER_WINDOW, Window
from .teachers.protocol import Teacher


@runtime_checkable
class HoldingTeacher(Teacher, Protocol):
    """A teacher whose engine keeps the states of a document until its shard is committed.

    Its cache is bounded, so a slow disk blocks the engine: nothing is dropped and memory does
    not grow.
    """

    def hold(self) -> None:
        """From now on, keep what is read until it is released. What was kept for an earlier
        writer is released: a writer that was left has committed everything."""
        ...

    def release(self, documents: Iterable[Sequence[int]]) -> None:
        """Token ids of documents that are committed; those that were never read do not matter.

        May be called from another thread than `states`.
        """
        ...

    def close(self) -> None:
        """Stop the engine; nothing is read after that."""
        ...


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """Upper bound of what is read and not yet committed while the reader is not blocked."""

    tokens: int
    documents: int
    longest: int
    """Tokens of the longest document."""


def max_uncommitted(
    lengths: Sequence[int], windows: Sequence[Window], shard_tokens: int
) -> Uncommitted:
    """The least cache of an engine with which reader and writer cannot deadlock.

    It holds the window that is being read, the batch that is computed ahead, and what the writer
    does not know to be committed yet.

    Args:
        lengths: tokens of every document of the corpus.
        windows: how they are read.
        shard_tokens: of the store.
    """
    longest = max(lengths)
    window = max(sum(lengths[index] for index in window.indices) for window in windows)
    ahead = max(batch.tokens for window in windows for batch in window.batches)
    tokens = min(sum(lengths), window + ahead + _not_seen(shard_tokens, longest))
    return Uncommitted(tokens, len(list(_shortest_first(lengths, tokens))), longest)


def max_uncommitted_tokens(batch_tokens: int, longest: int, shard_tokens: int = 8192) -> int:
    """The same in tokens for any documents of at most `longest` tokens."""
    window = BATCHES_PER_WINDOW * batch_tokens + longest
    return window + max(batch_tokens, longest) + _not_seen(shard_tokens, longest)


def _not_seen(shard_tokens: int, longest: int) -> int:
    """Tokens that are written and not known to be committed: the shard that is filling, those in
    the background, one between two looks of `ReleasingWriter`, a document at either end."""
    return (max_in_flight() + 2) * shard_tokens + 2 * longest


def _shortest_first(lengths: Sequence[int], tokens: int) -> Iterable[int]:
    """The shortest documents that fill so many tokens: the most that there can be."""
    for length in sorted(lengths):
        yield length
        tokens -= length
        if tokens <= 0:
            return


class ReleasingWriter:
    """Writes to a store and releases committed documents from the teacher, about once a shard."""

    def __init__(
        self, writer: StoreWriter, teacher: HoldingTeacher, documents: Sequence[Sequence[int]]
    ) -> None:
        """Start holding: the teacher keeps what it reads from now on.

        Args:
            writer: entered.
            teacher: that reads the documents.
            documents: token ids of every document of the corpus.
        """
        self._writer, self._teacher, self._documents = writer, teacher, documents
        self._released = 0
        self._unseen = 0
        teacher.hold()

    def write(self, index: int, states: torch.Tensor) -> None:
        """As `StoreWriter.write`. Raises: StoreError."""
        self._writer.write(index, states)
        self._unseen += len(states)
        if self._unseen >= self._writer.manifest.shard_tokens:
            self._unseen = 0
            self._release()

    def _release(self) -> None:
        """Release everything before the first document that is not committed: shards become
        durable in their order, and what was read once more for the sake of a neighbour is
        released with it."""
        first = self._writer.first_pending()
        self._teacher.release(self._documents[i] for i in range(self._released, first))
        self._released = max(self._released, first)


def write_function(
    writer: StoreWriter, teacher: Teacher, documents: Sequence[Sequence[int]]
) -> Callable[[int, torch.Tensor], None]:
    """`writer.write`; for a `HoldingTeacher` one that also releases committed documents."""
    if isinstance(teacher, HoldingTeacher):
        return ReleasingWriter(writer, teacher, documents).write
    return writer.write


@contextmanager
def stopping(teacher: Teacher) -> Iterator[None]:
    """Stop the engine of a teacher that has one, however the block ends."""
    try:
        yield
    finally:
        if isinstance(teacher, HoldingTeacher):
            teacher.close()
