"""Multiprocess data loading, so that workers do not hold the GIL of the training thread.

A loader thread competes for the GIL with the thread that launches kernels: on an H200 a step took
half as long again, although the loop hardly waited for batches (docs/LOG-engineering.md of
2026-11-23). A batch arrives as one block of shared memory. Starting the processes takes as long as
importing torch; until then the calling thread makes the batches itself.
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
from typing import Final

import torch

from ..common.errors import StoreError
from ..common.threads import cores
from .batches import Batch, Batches
from .flat_batch import FlatBatch, pack

PREFETCHED: Final = 2
"""Batches in flight a process, finished ones included."""
START_METHOD: Final = "spawn"
"""Of the processes: a fork would copy the locks of this process's threads, and its CUDA context."""
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  where Linux keeps it


def workers_for(device: torch.device, batch_bytes: int) -> int:
    """Default number of processes: 0 without a GPU, else limited by cores and shared memory."""
    if device.type != "cuda" or not _SHARED_MEMORY.is_dir():
        return 0
    free = shutil.disk_usage(_SHARED_MEMORY).free
    return min(4, cores() // 4, max(0, free // (2 * batch_bytes) - 1) // PREFETCHED)


class Workers:
    """A source whose batches are made by worker processes; request steps in order."""

    def __init__(self, source: Batches, count: int) -> None:
        """The `count` processes start at the first request."""
        self._source, self._count = source, count
        self._pool: ProcessPoolExecutor | None = None
        self._started: Future[None] | None = None
        self._pending: dict[int, Future[FlatBatch]] = {}
        self.ready: bool = False
        """True once a worker process can make batches."""
        self._closed = False

    def at(self, step: int) -> Batch:
        """The batch of a step, on the CPU.

        Raises:
            StoreError: raised by the source, or a worker process died.
        """
        try:
            if not self._is_ready():
                return self._source.at(step)
            return self._submit(step).result().unpack()
        except BrokenProcessPool as error:
            raise StoreError(
                f"a process that makes batches died ({' '.join(str(error).split())[:200]}): "
                "out of memory, or of shared memory? Try --workers 0"
            ) from error

    def document_ids(self, step: int) -> tuple[str, ...]:
        """Of the source, in this process."""
        return self._source.document_ids(step)

    def describe(self) -> Mapping[str, object]:
        """Of the source: which process makes a batch does not change it."""
        return self._source.describe()

    def close(self) -> None:
        """Stop the processes."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._source.close()

    def _is_ready(self) -> bool:
        """Whether a process is there; starts them. Raises what a process raised at its start."""
        if self._closed:
            raise RuntimeError("these batches are closed")
        if self._pool is None or self._started is None:
            self._pool = _start(self._source, self._count)
            # No batch is scheduled before: one that is made here meanwhile would have to be
            # cancelled, and a pool that breaks with a cancelled future leaves the others pending.
            self._started = self._pool.submit(_nothing)
        if not self.ready and self._started.done():
            self._started.result()
            self.ready = True
        return self.ready

    def _submit(self, step: int) -> Future[FlatBatch]:
        """Schedule this step and those behind it."""
        assert self._pool is not None
        for later in range(step, step + self._count * PREFETCHED):
            if later not in self._pending:
                self._pending[later] = self._pool.submit(_make, later)
        return self._pending.pop(step)


def _start(source: Batches, count: int) -> ProcessPoolExecutor:
    # In shared memory: a spawned process reads its arguments only after its imports, and the
    # parent would block on a pipe that long, once for every process.
    pickled = torch.frombuffer(bytearray(ForkingPickler.dumps(source)), dtype=torch.uint8)
    pickled.share_memory_()  # type: ignore[no-untyped-call]
    context = multiprocessing.get_context(START_METHOD)
    return ProcessPoolExecutor(count, context, initializer=_receive, initargs=(pickled,))


_received: Batches
"""In a worker process: its copy of the source."""


def _receive(pickled: torch.Tensor) -> None:
    global _received
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole group; the parent decides
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _received = ForkingPickler.loads(pickled.numpy().tobytes())


def _exit_with_parent() -> None:
    """Exit when the parent is gone: one that is killed cannot end its children."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _nothing() -> None:
    """The first job of a process: it is done once the process is there."""


def _make(step: int) -> FlatBatch:
    return pack(_received.at(step), shared=True)
