"""Batches made by processes of their own, so that the training thread keeps the interpreter.

A thread that makes batches takes Python's lock from the one that launches kernels, in the middle
of its steps: on an H200 these took half as long again, although next to nothing was waited for
(docs/LOG.md, "training waits where nobody looked"). A batch comes over in one piece of shared
memory. Until the processes are there, which takes as long as importing torch, batches are made by
the thread that asks.
"""

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Final, Protocol

import torch

from ..common.errors import StoreError
from ..common.threads import cores
from .batches import IndexedBatch
from .parcel import Parcel, wrap

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


_Made = Future[tuple[Parcel, tuple[int, ...]]]


class Workers:
    """A source whose batches are made elsewhere; steps are asked for in order."""

    def __init__(self, source: Source, count: int) -> None:
        """Start `count` processes when the first step is asked for."""
        self._source, self._count = source, count
        self._pool: ProcessPoolExecutor | None = None
        self._begun: dict[int, _Made] = {}
        self.at_work: bool = False
        """True once the processes have made a batch."""

    def indexed(self, step: int) -> IndexedBatch:
        """The batch of a step.

        Raises:
            StoreError: what the source raises, or a process died.
        """
        try:
            made = self._begin(step)
            if not self.at_work and not made.done():
                made.cancel()
                return self._source.indexed(step)
            parcel, indices = made.result()
        except BrokenProcessPool as error:
            raise StoreError(
                f"a process that makes batches died ({' '.join(str(error).split())[:200]}): "
                "out of memory, or of shared memory? Try --workers 0"
            ) from error
        self.at_work = True
        return IndexedBatch(parcel.open(), indices)

    def describe(self) -> Mapping[str, object]:
        """Of the source: who makes the batches decides nothing."""
        return self._source.describe()

    def close(self) -> None:
        """Let the processes go."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._source.close()

    def _begin(self, step: int) -> _Made:
        """Have this step made, and those behind it."""
        if self._pool is None:
            self._pool = _start(self._source, self._count)
        for ahead in range(step, step + self._count * PREFETCHED):
            if ahead not in self._begun:
                self._begun[ahead] = self._pool.submit(_make, ahead)
        return self._begun.pop(step)


def _start(source: Source, count: int) -> ProcessPoolExecutor:
    # In shared memory: a process that is being started reads what it is sent only when it has
    # imported everything, and whoever starts it would wait for that, once for each.
    sent = torch.frombuffer(bytearray(ForkingPickler.dumps(source)), dtype=torch.uint8)
    sent.share_memory_()  # type: ignore[no-untyped-call]
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, initializer=_receive, initargs=(sent,))


_received: Source
"""In a process that makes batches: its own copy of the source."""


def _receive(sent: torch.Tensor) -> None:
    global _received
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole group; the parent decides
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _received = ForkingPickler.loads(sent.numpy().tobytes())


def _leave_with_parent() -> None:
    """A parent that is killed cannot say so; nobody would ever end its children."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(step: int) -> tuple[Parcel, tuple[int, ...]]:
    found = _received.indexed(step)
    return wrap(found.batch, shared=True), found.indices
