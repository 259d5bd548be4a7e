"""Batches made by processes of their own, so that the training thread keeps the interpreter.

A thread that makes batches takes Python's lock from the one that launches kernels, in the middle
of its steps: on an H200 these took half as long again, although next to nothing was waited for
(docs/LOG.md, "training waits where nobody looked"). What comes over lies in shared memory.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import LatentcompError, StoreError
from ..store.threads import cores
from .batches import IndexedBatch

PREFETCHED: Final = 2
"""Batches that each process has ready or in the making."""
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  where Linux keeps it


class Source(Protocol):
    """What makes the batch of any step, and can be sent to another process."""

    def indexed(self, step: int) -> IndexedBatch:
        """The batch of one step, on the CPU; the same whenever it is asked."""
        ...

    def describe(self) -> Mapping[str, object]:
        """What decides the batches."""
        ...

    def close(self) -> None:
        """Stop whatever prepares batches."""
        ...


def workers_for(device: torch.device, batch_bytes: int) -> int:
    """How many processes are worth it, 0 for none: on a GPU, as many as cores and memory bear."""
    if device.type != "cuda" or not _SHARED_MEMORY.is_dir():
        return 0
    free = shutil.disk_usage(_SHARED_MEMORY).free
    return min(4, cores() // 4, max(0, free // (2 * batch_bytes) - 1) // PREFETCHED)


class Workers:
    """A source whose batches are made elsewhere; steps are asked for in order."""

    def __init__(self, source: Source, count: int) -> None:
        """Start `count` processes when the first step is asked for."""
        self._source, self._count = source, count
        self._made: Iterator[IndexedBatch | LatentcompError] | None = None

    def indexed(self, step: int) -> IndexedBatch:
        """The batch of a step.

        Raises:
            StoreError: what the source raises, or a process died.
        """
        if self._made is None:
            self._made = iter(self._loader(step))
        try:
            found = next(self._made)
        except RuntimeError as error:
            raise StoreError(
                f"a process that makes batches died ({' '.join(str(error).split())[:200]}): "
                "out of memory, or of shared memory? Try --workers 0"
            ) from error
        if isinstance(found, LatentcompError):
            raise found
        return found

    def describe(self) -> Mapping[str, object]:
        """Of the source: who makes the batches decides nothing."""
        return self._source.describe()

    def close(self) -> None:
        """Let the processes go."""
        self._made = None
        self._source.close()

    def _loader(self, first: int) -> "DataLoader[IndexedBatch | LatentcompError]":
        return DataLoader(
            _Steps(self._source),
            sampler=range(first, 2**31),
            batch_size=None,
            num_workers=self._count,
            prefetch_factor=PREFETCHED,
            multiprocessing_context="spawn",
        )


class _Steps(Dataset[IndexedBatch | LatentcompError]):
    """Item i is the batch of step i, or what went wrong: told in full, a traceback is of no use."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getitem__(self, step: int) -> IndexedBatch | LatentcompError:
        try:
            return self._source.indexed(step)
        except LatentcompError as error:
            return error
