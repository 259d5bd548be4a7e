"""Documents one behind the other in one row of tokens, each with positions of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

_FILLER_TOKENS = 512
"""Longest stretch of filler, so that it costs its share of attention and no more."""


@dataclass(frozen=True, eq=False, slots=True)
class Packing:
    """One row of tokens and the places of the documents in it. T tokens, N documents."""

    token_ids: torch.Tensor
    """[1, T] on the device."""
    position_ids: torch.Tensor
    """[1, T] on the device; starts at 0 with every document."""
    starts: torch.Tensor
    """[N + 1] int32 on the device: first token of every document, then T."""
    bounds: torch.Tensor
    """The same on the CPU, where it is read without waiting for the device."""
    lengths: tuple[int, ...]
    """Tokens of each document that was asked for; filler lies behind them."""

    def cut(self, h_TLD: torch.Tensor) -> list[torch.Tensor]:
        """The rows [tokens, L, D] of each document, without the filler."""
        return list(torch.split(h_TLD[: sum(self.lengths)], list(self.lengths)))


def pack(
    documents: Sequence[Sequence[int]], device: torch.device, total: int | None = None
) -> Packing:
    """Lay documents behind each other.

    Args:
        documents: token ids, at least one each.
        device: where the teacher is.
        total: fill up to so many tokens with short documents of token 0, for a compiled model
            of one fixed shape; longer rows stay as they are.
    """
    lengths = tuple(len(document) for document in documents)
    missing = max(0, (total or 0) - sum(lengths))
    whole, rest = divmod(missing, _FILLER_TOKENS)
    parts = [*lengths, *[_FILLER_TOKENS] * whole, *([rest] if rest else [])]
    tokens = [torch.tensor(document, dtype=torch.int64) for document in documents]
    token_ids = torch.cat([*tokens, torch.zeros(missing, dtype=torch.int64)])
    position_ids = torch.cat([torch.arange(part) for part in parts])
    bounds = torch.tensor([0, *parts]).cumsum(0).to(torch.int32)
    return Packing(
        token_ids=_placed(token_ids[None], device),
        position_ids=_placed(position_ids[None], device),
        starts=_placed(bounds, device),
        bounds=bounds,
        lengths=lengths,
    )


def _placed(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """On the device; from pinned memory, so that nobody waits for what the GPU still computes."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
