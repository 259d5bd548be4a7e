"""Asynchronous host-to-device copies of batches, started by the thread that prepares them.

Every step ends with its loss on the CPU, so no kernels are queued while the training thread
handles the next batch: whatever it does for that batch keeps the GPU idle. Copies therefore go
from pinned memory through a CUDA stream of their own and overlap with the previous step. If a
copy is still running when its step begins, the training thread waits for it, so that the waiting
time that a run reports includes the copies.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .batches import Batch
from .flat_batch import pack


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch whose tensors are on the device or being copied there."""

    batch: Batch
    copied: torch.cuda.Event | None
    """Recorded behind the last copy; None where the copies were synchronous."""


class DeviceTransfer:
    """Copies batches to one device."""

    def __init__(self, device: torch.device) -> None:
        """For a GPU, open the CUDA stream of the copies."""
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        if self._stream is not None:  # tensors that `finish` reads may still be being written
            self._stream.wait_stream(torch.cuda.current_stream(device))

    def start(
        self, batch: Batch, finish: Callable[[Batch], Batch] = lambda batch: batch
    ) -> PendingBatch:
        """Begin to copy a batch to the device and run `finish` on it there.

        Called by the thread that prepares batches.
        """
        if self._stream is None:
            return PendingBatch(finish(batch.to(self._device)), None)
        with torch.cuda.stream(self._stream):
            moved = finish(pack(batch, pinned=True).to(self._device).unpack())
            return PendingBatch(moved, self._stream.record_event())

    def wait(self, pending: PendingBatch) -> Batch:
        """Wait for the copies of a batch and return it; called by the training thread."""
        if pending.copied is not None:
            pending.copied.synchronize()
            stream = torch.cuda.current_stream(self._device)
            pending.batch.record_stream(stream)  # keep its memory while a step reads it
        return pending.batch
