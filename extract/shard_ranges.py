"""Ranges of shards that several processes claim and fill, including those of killed processes.

Every process starts with the ranges of its own rank and then looks for others that are neither
complete nor locked. The lock of a range is released when its process ends, so the range of a
killed process is continued by another one after its last committed shard.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from ..common.errors import StoreBusyError
from ..store.write.writer import StoreWriter
from .ranks import Rank

RANGES_PER_RANK = 4
"""More ranges than processes, so that they finish at about the same time."""
WINDOWS_PER_RANGE = 100
"""Lower bound: a window on the border of two ranges is read twice, at most one in a hundred."""
POLL_SECONDS = 1.0
"""Between two checks of ranges that other processes have locked."""


@dataclass(frozen=True, slots=True)
class ShardRange:
    """One of `count` ranges of shards, by its number as `StoreWriter` counts ranks."""

    number: int = 0
    count: int = 1


WHOLE_STORE = ShardRange()


def shard_ranges_of(rank: Rank, shards: int, windows: int) -> tuple[ShardRange, ...]:
    """The ranges of a store, those of this rank first; the same set for every rank.

    Args:
        rank: of this process.
        shards: of the store.
        windows: of the whole corpus.
    """
    if rank.world == 1:
        return (WHOLE_STORE,)
    many = min(rank.world * RANGES_PER_RANK, windows // WINDOWS_PER_RANGE)
    count = max(1, min(max(rank.world, many), shards))
    start = count * rank.rank // rank.world
    return tuple(ShardRange((start + i) % count, count) for i in range(count))


def fill_shard_ranges(
    ranges: Sequence[ShardRange],
    writer_of: Callable[[ShardRange], StoreWriter],
    fill: Callable[[StoreWriter], None],
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Fill every unlocked range until the store is complete and sealed.

    Ranges that other processes have locked are waited for, because these may be killed.

    Args:
        ranges: in the order in which they are tried.
        writer_of: makes the writer of a range, not entered.
        fill: writes what is pending of an entered writer.
        wait: sleeps for some seconds between two checks.

    Raises:
        LatentcompError: from `fill` or a writer, except that a range is locked.
    """
    while _fill_unlocked(ranges, writer_of, fill):
        wait(POLL_SECONDS)
    whole = writer_of(WHOLE_STORE)
    if whole.complete:  # its last writer may have been killed before the seal
        with suppress(StoreBusyError), whole:
            pass


def _fill_unlocked(
    ranges: Sequence[ShardRange],
    writer_of: Callable[[ShardRange], StoreWriter],
    fill: Callable[[StoreWriter], None],
) -> bool:
    """Fill the unlocked ranges; True if others have locked something that is missing."""
    busy = False
    for shards in ranges:
        writer = writer_of(shards)
        if not writer.pending_set():
            continue
        with ExitStack() as stack:
            try:
                stack.enter_context(writer)
            except StoreBusyError:
                busy = True
                continue
            if writer.pending_set():  # unless filled since the check above
                fill(writer)
    return busy
