"""A batch in one piece of memory, so that it moves as a whole.

Between processes each tensor costs a file descriptor that is handed over, and towards a GPU a copy
of its own that Python has to start; a parcel costs one of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .batches import Batch

_ALIGNED = 64
"""Every tensor begins at a multiple of this many bytes: a cache line."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where a tensor lies in the memory of its parcel."""

    start: int
    """Its first byte."""
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Its size."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch as bytes, on any device."""

    memory: Tensor
    """uint8 [bytes]"""
    parts: tuple[Part, ...]
    """The tensors of the batch, in the order of `Batch.tensors`."""

    def open(self) -> Batch:
        """The batch; its tensors are views of the memory."""
        views = (
            self.memory[part.start : part.start + part.bytes].view(part.dtype).view(part.shape)
            for part in self.parts
        )
        return Batch.of(views)

    def to(self, device: torch.device) -> "Parcel":
        """The same on a device; from pinned memory the copy runs by itself."""
        return Parcel(self.memory.to(device, non_blocking=True), self.parts)


def wrap(batch: Batch, *, pinned: bool = False, shared: bool = False) -> Parcel:
    """Copy a batch on the CPU into one piece of memory.

    Args:
        batch: what to copy.
        pinned: into pinned memory, from which a GPU copies by itself.
        shared: into memory that another process can be given.
    """
    tensors = list(batch.tensors())
    parts, size = _laid_out(tensors)
    memory = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
    if shared:
        memory.share_memory_()  # type: ignore[no-untyped-call]
    parcel = Parcel(memory, parts)
    for target, tensor in zip(parcel.open().tensors(), tensors, strict=True):
        target.copy_(tensor)
    return parcel


def _laid_out(tensors: Sequence[Tensor]) -> tuple[tuple[Part, ...], int]:
    parts, end = [], 0
    for tensor in tensors:
        part = Part(-(-end // _ALIGNED) * _ALIGNED, tensor.dtype, tuple(tensor.shape))
        parts.append(part)
        end = part.start + part.bytes
    return tuple(parts), end
