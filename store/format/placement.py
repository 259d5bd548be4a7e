"""Positions of documents along the token axis; equal token sequences share one position."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .documents import Documents
from .schema import Integers


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a document within one shard."""

    shard: int
    source: int
    """First token within the document."""
    target: int
    """First token within the shard."""
    tokens: int


@dataclass(frozen=True, eq=False)
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

    @functools.cached_property
    def own_starts(self) -> Integers:
        """[own] first token of every document that has a place of its own, ascending."""
        return self.starts[self.own]

    @functools.cached_property
    def own_stops(self) -> Integers:
        """[own] token behind the last one of each of them; the next one's first."""
        return self.stops[self.own]

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
        before = np.concatenate([[0], np.cumsum(committed == size)])
        inner = before[last] - before[first] == last - first
        return np.flatnonzero(inner & (committed[last] >= self.stops - last * size))

    def pending(self, committed: Integers) -> Integers:
        """Indices of the documents that are still to be written, ascending, without repetitions."""
        return np.setdiff1d(self.own, self.covered(committed), assume_unique=True)

    def own_index(self, token: int) -> int:
        """Index of the document that a token belongs to, the first one of equal documents."""
        return int(self.own[np.searchsorted(self.own_stops, token, side="right")])


def part_of(shards: int, rank: int, world: int) -> range:
    """The shards of writer `rank` of `world`: contiguous, as equal in number as possible."""
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}")
    return range(shards * rank // world, shards * (rank + 1) // world)


def place_documents(documents: Documents, shard_tokens: int) -> Placement:
    """Lay documents end to end; one with the tokens of an earlier one shares its position."""
    firsts, lengths = documents.firsts, documents.lengths
    is_own = firsts == np.arange(len(firsts))
    starts = (np.cumsum(np.where(is_own, lengths, 0)) - lengths)[firsts]
    return Placement(starts, starts + lengths, np.flatnonzero(is_own), shard_tokens)


def tokens_between(documents: Documents, placement: Placement, start: int, stop: int) -> Integers:
    """Token ids of [start, stop) of the token axis."""
    low = int(np.searchsorted(placement.own_stops, start, side="right"))
    high = int(np.searchsorted(placement.own_starts, stop, side="left"))
    own = placement.own[low:high].tolist()
    ids: Integers = np.concatenate([documents.token_ids(index) for index in own])
    offset = int(placement.own_starts[low])
    return ids[start - offset : stop - offset]
