"""Batches laid onto the device by the thread that makes them, so that a step finds them there.

What the training thread does for a batch keeps the GPU idle: a step ends with its loss on the CPU,
so nothing is queued meanwhile. Copies go from pinned memory through a stream of their own and run
beside the step before. If they are not done when their step begins, the training thread waits for
them, so that what a run says of its waiting is all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .batches import Batch
from .parcel import wrap


@dataclass(frozen=True, slots=True)
class Staged:
    """A batch whose tensors are on the device, or on their way."""

    batch: Batch
    ready: torch.cuda.Event | None
    """Recorded behind the last copy; None where there was nothing to wait for."""


class Staging:
    """Lays batches onto one device."""

    def __init__(self, device: torch.device) -> None:
        """For a GPU, open the stream of the copies."""
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        if self._stream is not None:  # what lies on the device already may still be written
            self._stream.wait_stream(torch.cuda.current_stream(device))

    def lay(self, batch: Batch, finish: Callable[[Batch], Batch] = lambda batch: batch) -> Staged:
        """Copy a batch to the device and `finish` it there; called by the thread that made it."""
        if self._stream is None:
            return Staged(finish(batch.to(self._device)), None)
        with torch.cuda.stream(self._stream):
            moved = finish(wrap(batch, pinned=True).to(self._device).open())
            return Staged(moved, self._stream.record_event())

    def take(self, staged: Staged) -> Batch:
        """The batch, for the thread that trains, when its copies are done."""
        if staged.ready is not None:
            staged.ready.synchronize()
            stream = torch.cuda.current_stream(self._device)
            staged.batch.used_on(stream)  # its memory is not taken back while a step reads it
        return staged.batch
