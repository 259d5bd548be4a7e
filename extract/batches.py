"""Batching of documents by their lengths alone.

The composition of a batch affects the last bits of its states, so it must not depend on
progress: a run that was killed and started again makes the same batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BATCHES_PER_WINDOW = 4
"""How far sorting by length may reach: more saves padding and holds more states in memory."""


@dataclass(frozen=True, slots=True)
class DocumentBatch:
    """Documents that are read in one forward pass."""

    indices: tuple[int, ...]
    """Positions in the corpus, shortest document first."""
    tokens: int
    """Tokens of the documents."""
    padded_tokens: int
    """Tokens that the teacher computes: packed, those of the documents; padded, the number of
    documents times the longest of them."""


@dataclass(frozen=True, slots=True)
class Window:
    """Adjacent documents of the corpus, sorted by length into batches and written together."""

    batches: tuple[DocumentBatch, ...]

    @property
    def indices(self) -> tuple[int, ...]:
        """Positions in the corpus, ascending: the order in which the store takes them."""
        return tuple(sorted(index for batch in self.batches for index in batch.indices))


def plan_windows(
    lengths: Sequence[int], batch_tokens: int, *, packed: bool = False
) -> Iterator[Window]:
    """Cut a corpus into windows of batches of at most `batch_tokens` computed tokens.

    A document longer than that makes a batch of its own.

    Args:
        lengths: tokens of every document.
        batch_tokens: budget of a batch.
        packed: documents of a batch are concatenated, so nothing is padded.
    """
    start = tokens = 0
    for index, length in enumerate(lengths):
        if start < index and tokens + length > BATCHES_PER_WINDOW * batch_tokens:
            yield _window(lengths, range(start, index), batch_tokens, packed)
            start, tokens = index, 0
        tokens += length
    if lengths:
        yield _window(lengths, range(start, len(lengths)), batch_tokens, packed)


def _window(lengths: Sequence[int], indices: range, batch_tokens: int, packed: bool) -> Window:
    batches: list[DocumentBatch] = []
    group: list[int] = []
    for index in sorted(indices, key=lambda i: (lengths[i], i)):
        if group and _batch(lengths, [*group, index], packed).padded_tokens > batch_tokens:
            batches.append(_batch(lengths, group, packed))
            group = []
        group.append(index)
    return Window((*batches, _batch(lengths, group, packed)))


def _batch(lengths: Sequence[int], group: Sequence[int], packed: bool) -> DocumentBatch:
    tokens = sum(lengths[index] for index in group)
    return DocumentBatch(
        indices=tuple(group),
        tokens=tokens,
        padded_tokens=tokens if packed else len(group) * lengths[group[-1]],
    )
