"""Batches made ahead of their step by the workers of a torch `DataLoader`.

Worker processes do not hold the GIL of the thread that launches kernels. The project's own workers,
prefetching thread and CUDA stream, which this replaces, made a step 1.4 to 1.6 times as long as one
whose batch was there already; `DataLoader` makes it 1.03 times as long (docs/LOG-engineering.md).
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ..common.errors import LatentcompError, StoreError
from ..common.threads import cores
from .batches import Batch, Batches
from .worker import begin_worker

PREFETCHED: Final = 2
"""Batches in flight a process, finished ones included."""
START_METHOD: Final = "spawn"
"""How worker processes start: a fork of a process that uses CUDA would fail."""
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  where Linux keeps it

Finish = Callable[[int, Batch], Batch]
"""(step, its batch on the device) -> the batch to train on."""


def as_it_is(step: int, batch: Batch) -> Batch:
    """The `Finish` of batches that lack nothing."""
    return batch


def workers_for(device: torch.device, batch_bytes: int) -> int:
    """Default number of processes: 0 without a GPU, else limited by cores and shared memory."""
    if device.type != "cuda" or not _SHARED_MEMORY.is_dir():
        return 0
    free = shutil.disk_usage(_SHARED_MEMORY).free
    return min(4, cores() // 4, max(0, free // (2 * batch_bytes) - 1) // PREFETCHED)


class LoadedBatches:
    """Batches of a source on the device that trains; request steps in order."""

    def __init__(
        self,
        source: Batches,
        workers: int,
        device: torch.device,
        finish: Finish = as_it_is,
    ) -> None:
        """The processes start at the first request.

        Args:
            source: batches on the CPU; picklable if there are workers.
            workers: processes; 0 makes every batch when it is requested.
            device: that trains.
            finish: completes a batch on the device.
        """
        self.source, self.workers = source, workers
        self._device, self._finish = device, finish
        self._items: Iterator[Any] | None = None
        self._next = 0
        self._closed = False

    def at(self, step: int) -> Batch:
        """The batch of a step. Any other than the next one starts the processes anew.

        Raises:
            StoreError: raised by the source, or a worker process died.
        """
        if self._closed:
            raise RuntimeError("these batches are closed")
        if self._items is None or step != self._next:
            self._items = iter(self._loader(step))
        self._next = step + 1
        try:
            item = next(self._items)
        except RuntimeError as error:
            self._items = None
            raise StoreError(
                f"a process that makes batches died ({' '.join(str(error).split())[:200]}): "
                "out of memory, or of shared memory? Try --workers 0"
            ) from error
        if isinstance(item, LatentcompError):
            raise item
        # From pinned memory the copy runs beside the CPU, in the order of the step's own kernels.
        return self._finish(step, Batch.of(item).to(self._device))

    def _loader(self, first: int) -> DataLoader[Any]:
        return DataLoader(
            _Steps(self.source),
            batch_size=None,
            sampler=_From(first),
            num_workers=self.workers,
            pin_memory=self._device.type == "cuda",
            prefetch_factor=PREFETCHED if self.workers else None,
            multiprocessing_context=START_METHOD if self.workers else None,
            worker_init_fn=begin_worker,
        )

    def document_ids(self, step: int) -> tuple[str, ...]:
        """Of the source."""
        return self.source.document_ids(step)

    def describe(self) -> Mapping[str, object]:
        """Of the source: neither the processes nor `finish` change the batches."""
        return self.source.describe()

    def close(self) -> None:
        """Stop the processes and close the source."""
        self._closed = True
        self._items = None
        self.source.close()


class _Steps(Dataset[Any]):
    """Item i is the batch of step i as tensors, or the error that it ended in.

    A DataLoader passes an error on as a traceback of many lines; as an item it stays one line.
    """

    def __init__(self, source: Batches) -> None:
        self._source = source

    def __getitem__(self, step: int) -> list[torch.Tensor] | LatentcompError:
        try:
            return list(self._source.at(step).tensors())
        except LatentcompError as error:
            return error


class _From(Sampler[int]):
    """All steps from one on, without end."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        return count(self._first)
