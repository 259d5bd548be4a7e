"""A store in parts: ranges of shards that processes claim, fill, and take up from the dead.

Every process starts with the parts of its own rank and then looks for others that are neither
complete nor held. What holds a part is the lock of its shards, which dies with its owner: the
part of a killed process is free again, and whoever is left takes it up where it ended.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from ..common.errors import StoreBusyError
from ..store.write.writer import StoreWriter
from .ranks import Rank

RANGES_PER_RANK = 4
"""More parts than processes, so that the last ones do not wait long for each other."""
WINDOWS_PER_RANGE = 100
"""At least: the window on the border of two parts is read for both, one in a hundred then."""
LOOK_AGAIN = 1.0
"""Seconds between two looks at parts that other processes hold."""


@dataclass(frozen=True, slots=True)
class ShardRange:
    """One of `count` ranges of shards, by its number as `StoreWriter` counts ranks."""

    number: int = 0
    count: int = 1


WHOLE_STORE = ShardRange()


def shard_ranges_of(rank: Rank, shards: int, windows: int) -> tuple[ShardRange, ...]:
    """The parts of a store, those of this rank first. The same set for every rank.

    Args:
        rank: of this process.
        shards: of the store.
        windows: in which the whole corpus is read.
    """
    if rank.world == 1:
        return (WHOLE_STORE,)
    many = min(rank.world * RANGES_PER_RANK, windows // WINDOWS_PER_RANGE)
    count = max(1, min(max(rank.world, many), shards))
    start = count * rank.rank // rank.world
    return tuple(ShardRange((start + i) % count, count) for i in range(count))


def fill_shard_ranges(
    parts: Sequence[ShardRange],
    writer_of: Callable[[ShardRange], StoreWriter],
    fill: Callable[[StoreWriter], None],
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Fill every part that nobody else fills, until the store is complete and sealed.

    While other processes hold what is missing it waits, because they may be lost.

    Args:
        parts: in the order in which to look at them.
        writer_of: makes the writer of a part, not entered.
        fill: writes what is pending of an entered writer.
        wait: between two looks.

    Raises:
        LatentcompError: whatever `fill` or a writer say, except that a part is held.
    """
    while _look_at_all(parts, writer_of, fill):
        wait(LOOK_AGAIN)
    whole = writer_of(WHOLE_STORE)
    if whole.complete:  # its last writer may have been killed before the seal
        with suppress(StoreBusyError), whole:
            pass


def _look_at_all(
    parts: Sequence[ShardRange],
    writer_of: Callable[[ShardRange], StoreWriter],
    fill: Callable[[StoreWriter], None],
) -> bool:
    """Fill what is free; True if others still hold something that is missing."""
    busy = False
    for part in parts:
        writer = writer_of(part)
        if not writer.pending():
            continue
        with ExitStack() as stack:
            try:
                stack.enter_context(writer)
            except StoreBusyError:
                busy = True
                continue
            if writer.pending():  # it may have been filled since we looked
                fill(writer)
    return busy
