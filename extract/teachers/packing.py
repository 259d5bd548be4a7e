"""Packing: documents concatenated into one row of tokens, each with its own positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False, slots=True)
class Packing:
    """One row of tokens and the bounds of the documents in it. T tokens, N documents."""

    token_ids: torch.Tensor
    """[1, T] on the device."""
    position_ids: torch.Tensor
    """[1, T] on the device; starts at 0 with every document."""
    starts: torch.Tensor
    """[N + 1] int32 on the device: first token of every document, then T."""
    bounds: torch.Tensor
    """The same on the CPU, where it is read without waiting for the device."""
    lengths: tuple[int, ...]
    """Tokens of each document."""

    def cut(self, h_TLD: torch.Tensor) -> list[torch.Tensor]:
        """The rows [tokens, L, D] of each document."""
        return list(torch.split(h_TLD, list(self.lengths)))


def pack(documents: Sequence[Sequence[int]], device: torch.device) -> Packing:
    """Concatenate documents.

    Args:
        documents: token ids, at least one each.
        device: where the teacher is.
    """
    lengths = tuple(len(document) for document in documents)
    token_ids = torch.cat([torch.tensor(document, dtype=torch.int64) for document in documents])
    position_ids = torch.cat([torch.arange(length) for length in lengths])
    bounds = torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)
    return Packing(
        token_ids=_to_device(token_ids[None], device),
        position_ids=_to_device(position_ids[None], device),
        starts=_to_device(bounds, device),
        bounds=bounds,
        lengths=lengths,
    )


def _to_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Values on the device; copied from pinned memory, so that the host does not wait for the
    kernels that are queued before."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
