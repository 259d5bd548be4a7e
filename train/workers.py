"""Batches made by processes of their own, so that the training thread keeps the interpreter.

A thread that makes batches takes Python's lock from the one that launches kernels, in the middle
of its steps: on an H200 these took half as long again, although next to nothing was waited for
(docs/LOG.md, "training waits where nobody looked"). A batch comes over in one piece, in a slot of
shared memory; one that does not fit, or for which no slot is free, in memory of its own. Until the
processes are there, which takes as long as importing torch, batches are made by the thread that
asks.
"""

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Final, Protocol

import torch

from ..errors import StoreError
from ..store.threads import cores
from .indexed import Borrowed, IndexedBatch
from .parcel import Parcel, Part, wrap
from .slots import Loan, Slots

PREFETCHED: Final = 2
"""Batches that each process has ready or in the making."""
_IN_USE: Final = 2
"""Slots beyond those: a batch that is handed on, and one whose copy is under way."""
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
    return min(4, cores() // 4, max(0, free // (2 * batch_bytes) - _IN_USE) // PREFETCHED)


@dataclass(frozen=True, slots=True)
class _Made:
    """A batch as it comes over."""

    parts: tuple[Part, ...]
    memory: torch.Tensor | None
    """That it lies in; None if in the slot that it was asked for in."""
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Order:
    """A batch in the making."""

    future: Future[_Made]
    loan: Loan | None

    def drop(self) -> None:
        """Nobody wants it; its slot is free when nobody writes to it any more."""
        self.future.cancel()
        if self.loan is not None:
            self.loan.over = self.future.done  # at once if it was cancelled


class Workers:
    """A source whose batches are made elsewhere; steps are asked for in order."""

    def __init__(
        self, source: Source, count: int, batch_bytes: int = 0, *, pinned: bool = False
    ) -> None:
        """Start `count` processes when the first step is asked for.

        Args:
            source: makes the batches.
            count: of processes.
            batch_bytes: of a slot; 0 for none, every batch has memory of its own then.
            pinned: slots that a GPU copies from by itself.
        """
        self._source, self._count = source, count
        self._pool: ProcessPoolExecutor | None = None
        self._slots = Slots(count * PREFETCHED + _IN_USE, batch_bytes, pinned=pinned)
        self._begun: dict[int, _Order] = {}
        self.at_work: bool = False
        """True once the processes have made a batch."""

    def indexed(self, step: int) -> IndexedBatch:
        """The batch of a step.

        Raises:
            StoreError: what the source raises, or a process died.
        """
        try:
            order = self._begin(step)
            if not self.at_work and not order.future.done():
                order.drop()
                return self._source.indexed(step)
            made = order.future.result()
        except BrokenProcessPool as error:
            raise StoreError(
                f"a process that makes batches died ({' '.join(str(error).split())[:200]}): "
                "out of memory, or of shared memory? Try --workers 0"
            ) from error
        self.at_work = True
        return _received_from(made, order.loan)

    def describe(self) -> Mapping[str, object]:
        """Of the source: who makes the batches decides nothing."""
        return self._source.describe()

    def close(self) -> None:
        """Let the processes go."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._slots.close()
        self._source.close()

    def _begin(self, step: int) -> _Order:
        """Have this step made, and those behind it."""
        if self._pool is None:
            self._pool = _start(self._source, self._count, self._slots.memory)
        for ahead in range(step, step + self._count * PREFETCHED):
            if ahead not in self._begun:
                loan = self._slots.take()
                future = self._pool.submit(_make, ahead, None if loan is None else loan.number)
                self._begun[ahead] = _Order(future, loan)
        return self._begun.pop(step)


def _received_from(made: _Made, loan: Loan | None) -> IndexedBatch:
    """The batch, where it lies."""
    if made.memory is not None:
        if loan is not None:
            loan.end()
        return IndexedBatch(Parcel(made.memory, made.parts).open(), made.indices)
    assert loan is not None, "a batch without memory of its own lies in a slot"
    parcel = Parcel(loan.memory[: made.parts[-1].stop], made.parts)
    return IndexedBatch(parcel.open(), made.indices, Borrowed(parcel, loan))


def _start(source: Source, count: int, slots: torch.Tensor) -> ProcessPoolExecutor:
    # In shared memory: a process that is being started reads what it is sent only when it has
    # imported everything, and whoever starts it would wait for that, once for each.
    sent = torch.frombuffer(bytearray(ForkingPickler.dumps(source)), dtype=torch.uint8)
    sent.share_memory_()  # type: ignore[no-untyped-call]
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, initializer=_receive, initargs=(sent, slots))


_received: Source
"""In a process that makes batches: its own copy of the source."""
_memory: torch.Tensor
"""And the slots."""


def _receive(sent: torch.Tensor, slots: torch.Tensor) -> None:
    global _received, _memory
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole group; the parent decides
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _received, _memory = ForkingPickler.loads(sent.numpy().tobytes()), slots


def _leave_with_parent() -> None:
    """A parent that is killed cannot say so; nobody would ever end its children."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(step: int, number: int | None) -> _Made:
    found = _received.indexed(step)
    slot = None if number is None else _memory[number]
    parcel = wrap(found.batch, shared=True, into=slot)
    there = slot is not None and parcel.memory.data_ptr() == slot.data_ptr()
    return _Made(parcel.parts, None if there else parcel.memory, found.indices)
