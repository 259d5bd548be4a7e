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
from .indexed import IndexedBatch
from .parcel import Parcel, wrap


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

    def lay(
        self, found: IndexedBatch, finish: Callable[[Batch], Batch] = lambda batch: batch
    ) -> Staged:
        """Copy a batch to the device and `finish` it there; called by the thread that made it.

        Borrowed memory is given back as soon as it was copied.
        """
        if self._stream is None:
            batch = found.batch if found.borrowed is None else wrap(found.batch).open()
            staged = Staged(finish(batch.to(self._device)), None)
        else:
            with torch.cuda.stream(self._stream):
                moved = finish(_pinned(found).to(self._device).open())
                staged = Staged(moved, self._stream.record_event())
        if found.borrowed is not None:
            found.borrowed.loan.end(staged.ready)
        return staged

    def take(self, staged: Staged) -> Batch:
        """The batch, for the thread that trains, when its copies are done."""
        if staged.ready is not None:
            staged.ready.synchronize()
            stream = torch.cuda.current_stream(self._device)
            staged.batch.used_on(stream)  # its memory is not taken back while a step reads it
        return staged.batch


def _pinned(found: IndexedBatch) -> Parcel:
    """The batch in one piece of memory that the device copies from by itself."""
    if found.borrowed is not None and found.borrowed.parcel.memory.is_pinned():
        return found.borrowed.parcel
    return wrap(found.batch, pinned=True)
