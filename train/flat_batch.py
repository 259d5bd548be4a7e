"""A batch in one contiguous block of memory, so that it moves as a single tensor.

Between processes every tensor costs a file descriptor, and every host-to-device copy costs a call
from Python; a flat batch costs one of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .batches import Batch

_ALIGNMENT = 64
"""Bytes: every tensor begins on a cache line."""


@dataclass(frozen=True, slots=True)
class TensorSlot:
    """Where one tensor lies in the memory of its flat batch."""

    start: int
    """Offset in bytes."""
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class FlatBatch:
    """A batch as bytes, on any device."""

    memory: Tensor
    """uint8 [bytes]"""
    slots: tuple[TensorSlot, ...]
    """The tensors of the batch, in the order of `Batch.tensors`."""

    def unpack(self) -> Batch:
        """The batch; its tensors are views of the memory."""
        views = (
            self.memory[slot.start : slot.start + slot.bytes].view(slot.dtype).view(slot.shape)
            for slot in self.slots
        )
        return Batch.of(views)

    def to(self, device: torch.device) -> "FlatBatch":
        """The same batch on a device; the copy is asynchronous if it starts in pinned memory."""
        return FlatBatch(self.memory.to(device, non_blocking=True), self.slots)


def pack(batch: Batch, *, pinned: bool = False, shared: bool = False) -> FlatBatch:
    """Copy a batch on the CPU into one block of memory.

    Args:
        batch: on the CPU.
        pinned: allocate page-locked memory, for asynchronous copies to a GPU.
        shared: allocate shared memory, which can be sent to another process.
    """
    tensors = list(batch.tensors())
    slots, size = _layout(tensors)
    memory = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
    if shared:
        memory.share_memory_()  # type: ignore[no-untyped-call]
    flat = FlatBatch(memory, slots)
    for target, tensor in zip(flat.unpack().tensors(), tensors, strict=True):
        target.copy_(tensor)
    return flat


def _layout(tensors: Sequence[Tensor]) -> tuple[tuple[TensorSlot, ...], int]:
    slots, end = [], 0
    for tensor in tensors:
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        slots.append(TensorSlot(start, tensor.dtype, tuple(tensor.shape)))
        end = start + slots[-1].bytes
    return tuple(slots), end
