"""Positions of documents along the token axis; equal token sequences share one position."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .schema import Integers
from .tables import Entry


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a document within one shard."""

    shard: int
    source: int
    """First token within the document."""
    target: int
    """First token within the shard."""
    tokens: int


@dataclass(frozen=True, eq=False, slots=True)
class Placement:
    """The position of every document of a store along the token axis."""

    starts: Integers
    """[documents] first token; that of the earlier document for a repeated one."""
    stops: Integers
    """[documents] token behind the last one."""
    own: Integers
    """Indices of the documents that are not a repetition of an earlier one, ascending."""
    shard_tokens: int

    @property
    def tokens(self) -> int:
        """Length of the token axis."""
        return int(self.stops.max())

    def pieces(self, index: int) -> Iterator[Piece]:
        """The parts of a document, shard by shard."""
        size = self.shard_tokens
        start, stop = int(self.starts[index]), int(self.stops[index])
        for shard in range(start // size, (stop - 1) // size + 1):
            low, high = max(start, shard * size), min(stop, (shard + 1) * size)
            yield Piece(shard, low - start, low - shard * size, high - low)

    def covered(self, committed: Integers) -> Integers:
        """Indices of the documents of which every token is committed, ascending.

        Args:
            committed: [shards] tokens, from its first on, that are committed in every shard.
        """
        size = self.shard_tokens
        first, last = self.starts // size, (self.stops - 1) // size
        before = np.cumsum([0, *(committed == size)])
        inner = before[last] - before[first] == last - first
        return np.flatnonzero(inner & (committed[last] >= self.stops - last * size))

    def pending(self, committed: Integers) -> tuple[int, ...]:
        """Indices of the documents that are still to be written, without repetitions."""
        return tuple(np.setdiff1d(self.own, self.covered(committed)).tolist())


def part_of(shards: int, rank: int, world: int) -> range:
    """The shards of writer `rank` of `world`: contiguous, as equal in number as possible."""
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}")
    return range(shards * rank // world, shards * (rank + 1) // world)


def place_documents(entries: Sequence[Entry], shard_tokens: int) -> Placement:
    """Lay documents end to end; one with the tokens of an earlier one shares its position."""
    first_tokens: dict[str, int] = {}
    starts = np.zeros(len(entries), np.int64)
    lengths = np.array([len(entry.token_ids) for entry in entries])
    end, own = 0, []
    for index, entry in enumerate(entries):
        start = first_tokens.setdefault(entry.tokens_sha256, end)
        starts[index] = start
        if start == end:
            own.append(index)
            end += int(lengths[index])
    return Placement(starts, starts + lengths, np.array(own), shard_tokens)


def tokens_between(
    entries: Sequence[Entry], placement: Placement, start: int, stop: int
) -> Integers:
    """Token ids of [start, stop) of the token axis."""
    starts, stops = placement.starts[placement.own], placement.stops[placement.own]
    low = int(np.searchsorted(stops, start, side="right"))
    high = int(np.searchsorted(starts, stop, side="left"))
    ids: Integers = np.concatenate([entries[i].token_ids for i in placement.own[low:high]])
    offset = int(starts[low])
    return ids[start - offset : stop - offset]
