"""Prefetching: a background thread prepares the next steps while the current one runs."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from .batches import Batch, Batches
from .device_transfer import DeviceTransfer, PendingBatch

T = TypeVar("T")

Finish = Callable[[int, Batch], Batch]
"""(step, its batch on the device) -> the batch to train on; runs on the stream of the copies."""


class Prefetcher(Generic[T]):
    """Results of `make(step)`, computed ahead of time in one background thread."""

    def __init__(self, make: Callable[[int], T], depth: int = 3) -> None:
        """Keep `depth` steps in flight, the requested one included."""
        self._make, self._depth = make, depth
        # One thread: results come in order, and decoding releases the GIL anyway.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._pending: dict[int, Future[T]] = {}

    def at(self, step: int) -> T:
        """The result of a step; steps must be requested in order."""
        self._submit(step)
        result = self._pending.pop(step).result()
        # Only now: a thread that starts working competes for the GIL with the one that waits.
        for later in range(step + 1, step + self._depth):
            self._submit(later)
        return result

    def _submit(self, step: int) -> None:
        if step not in self._pending:
            self._pending[step] = self._pool.submit(self._make, step)

    def close(self) -> None:
        """Stop the thread and drop the results that were not requested."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pending.clear()


class Prefetched:
    """Batches of a source on the CPU, made and copied to the device while earlier steps run."""

    def __init__(
        self, source: Batches, transfer: DeviceTransfer, finish: Finish = lambda step, batch: batch
    ) -> None:
        """Start with the first request.

        Args:
            source: batches on the CPU.
            transfer: to the device that trains.
            finish: completes a batch on the device.
        """
        self.source, self._transfer, self._finish = source, transfer, finish
        self._prefetcher = Prefetcher(self._start)

    def _start(self, step: int) -> PendingBatch:
        return self._transfer.start(self.source.at(step), lambda batch: self._finish(step, batch))

    def at(self, step: int) -> Batch:
        """The batch of a step, on the device; steps must be requested in order."""
        return self._transfer.wait(self._prefetcher.at(step))

    def document_ids(self, step: int) -> tuple[str, ...]:
        """Of the source."""
        return self.source.document_ids(step)

    def describe(self) -> Mapping[str, object]:
        """Of the source: neither prefetching nor `finish` changes the batches."""
        return self.source.describe()

    def close(self) -> None:
        """Stop prefetching and close the source."""
        self._prefetcher.close()
        self.source.close()
