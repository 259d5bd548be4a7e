"""Batches from worker processes, which are idle when they are told to end.

A worker that ends while its queue still sends a batch can abort (`DataLoader worker is killed by
signal: Aborted`). So at the end no new batch is asked for, and those under way are taken in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, takewhile

from torch.utils.data import DataLoader, Sampler

from .lessons import LessonBatches
from .sequences import LessonBatch

PREFETCH = 4
"""Batches that each worker makes ahead."""


class _Numbers(Sampler[int]):
    """0, 1, 2, ... until it is told to end."""

    def __init__(self) -> None:
        self.ended = False

    def __iter__(self) -> Iterator[int]:
        return takewhile(lambda _: not self.ended, count())


@contextmanager
def batches_of(data: LessonBatches, workers: int) -> Iterator[Iterator[LessonBatch]]:
    """Batch 0, 1, 2, ... without end; worker processes have ended when the block is left.

    Args:
        data: what makes a batch of its number.
        workers: processes; 0 makes the batches in this one.
    """
    numbers = _Numbers()
    loader = DataLoader(
        data,
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=PREFETCH if workers else None,
        multiprocessing_context="spawn" if workers else None,
    )
    batches = iter(loader)
    yield batches
    numbers.ended = True
    for _ in batches:
        pass
