"""Which tokens each latent stands for: equal segments, or segments of equal learned mass.

Shapes: B = documents, T = tokens (padded), K = latents (padded), S = slots of all latents,
W = inner width.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

MASS_SLOPE: Final = 4.0
"""Logarithm of a mass per unit of what the head says, so that mass moves faster than weights."""
MASS_BOUND: Final = 4.0
"""Natural logarithm of the largest mass before scaling; the smallest is its reciprocal."""
_POSITION_STEPS: Final = 1024
"""Positions are rounded to this part of a token, or their last bits would move whole positions."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Where the tokens of a batch of documents go."""

    pool_BKT: Tensor
    """float32: share of each token in the mean that a latent begins with; they add up to one."""
    position_BK: Tensor
    """float32: middle of the segment, in tokens; without a gradient."""
    mask_BK: Tensor
    """bool: a latent, not padding."""
    slots_BST: Tensor | None = None
    """float32: the same shares for each slot, the slots of a latent side by side; None if unused.
    All zero for a slot without a token."""
    mass_BT: Tensor | None = None
    """float32: mass of each token, where it is learned; of a document they add up to K."""


def allocate_equally(
    mask_BT: Tensor, counts_B: Tensor, max_latents: int, slots: int = 0
) -> Allocation:
    """As many tokens for every latent.

    Args:
        mask_BT: bool, a token.
        counts_B: int64, latents of each document.
        max_latents: K, at least the largest count.
        slots: of every latent; 0 for none.
    """
    pool_BKT, position_BK, mask_BK = segments(mask_BT, counts_B, max_latents)
    if not slots:
        return Allocation(pool_BKT, position_BK, mask_BK)
    slots_BST, _, _ = segments(mask_BT, counts_B * slots, max_latents * slots)
    return Allocation(pool_BKT, position_BK, mask_BK, slots_BST)


def allocate_by_mass(
    mass_BT: Tensor,
    counts_B: Tensor,
    max_latents: int,
    slots: int = 0,
    place_BT: Tensor | None = None,
) -> Allocation:
    """As much mass for every latent: continuous integrate-and-fire [Dong & Xu 2020, 1905.11235].

    Latent k takes the tokens whose cumulated mass lies in [k, k+1); a token across an edge goes to
    both, in proportion.

    Args:
        mass_BT: float32, adding up to the number of latents of each document; 0 for padding.
        counts_B: int64, latents of each document.
        max_latents: K, at least the largest count.
        slots: of every latent; 0 for none.
        place_BT: of each token in its document, where they do not count on from 0.
    """
    mask_BK = torch.arange(max_latents, device=mass_BT.device)[None] < counts_B[:, None]
    pool_BKT = _shares(mass_BT, mask_BK)
    position_BK = _middles(pool_BKT.detach(), place_BT)
    position_BK = (position_BK * _POSITION_STEPS).round() / _POSITION_STEPS
    slots_BST = None
    if slots:
        slots_BST = _shares(mass_BT * slots, mask_BK.repeat_interleave(slots, 1))
    return Allocation(pool_BKT, position_BK, mask_BK, slots_BST, mass_BT)


def _shares(mass_BT: Tensor, mask_BK: Tensor) -> Tensor:
    """Overlap of every token's [c(t-1), c(t)] with every [k, k+1], normalised: [B, K, T]."""
    # A sum over thousands of tokens in float32 would move edges by whole parts of a token.
    upper_BT = mass_BT.double().cumsum(1).float()
    lower_BT = nn.functional.pad(upper_BT[:, :-1], (1, 0))
    edge_K = torch.arange(mask_BK.shape[1], device=mass_BT.device, dtype=torch.float32)[:, None]
    overlap_BKT = torch.minimum(upper_BT[:, None], edge_K + 1) - torch.maximum(
        lower_BT[:, None], edge_K
    )
    overlap_BKT = overlap_BKT.clamp(min=0) * mask_BK[..., None]
    return overlap_BKT / overlap_BKT.sum(-1, keepdim=True).clamp(min=1e-6)


def within_chunks(mass_BT: Tensor, chunk_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """The same masses, scaled so that no latent stands for tokens of two chunks: [B, T].

    Each end of a chunk comes to the whole number of latents next to it; a chunk with less than
    half a latent shares those of the next one. So a mass moves the edges of its own chunk alone,
    where otherwise it moves every edge behind it.

    Args:
        mass_BT: float32, adding up to the number of latents of each document; 0 for padding.
        chunk_BT: int64, ascending.
        mask_BT: bool, a token; padding last.
    """
    with torch.no_grad():
        ends_BT = mask_BT.clone()
        ends_BT[:, :-1] &= (chunk_BT[:, 1:] != chunk_BT[:, :-1]) | ~mask_BT[:, 1:]
        before_BT = mass_BT.double().cumsum(1)
        latents_B1 = before_BT[:, -1:].round()
        final_BT = mask_BT & ~nn.functional.pad(mask_BT, (0, 1))[:, 1:]
        edge_BT = torch.minimum(before_BT.round(), latents_B1 - 1)
        edge_BT = torch.where(final_BT, latents_B1, edge_BT) * ends_BT
        reached_BT = nn.functional.pad(edge_BT.cummax(1).values, (1, 0))[:, :-1]
        new_BT = ends_BT & (edge_BT > reached_BT)
        group_BT = new_BT.cumsum(1) - new_BT.long()
        room_BT = torch.zeros_like(before_BT)
        masses_BG = room_BT.scatter_add(1, group_BT, mass_BT.double())
        latents_BG = room_BT.scatter_add(1, group_BT, (edge_BT - reached_BT) * new_BT)
        scale_BT = (latents_BG / masses_BG.clamp(min=1e-9)).gather(1, group_BT)
    return mass_BT * scale_BT.to(mass_BT.dtype)


class _Bounded(torch.autograd.Function):
    """A clamp through which gradients still come back from outside of the bounds."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(-bound, bound)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, None]:  # noqa: ANN401
        (x,), (grad,) = ctx.saved_tensors, grads
        inward = ((x >= -ctx.bound) | (grad < 0)) & ((x <= ctx.bound) | (grad > 0))
        return grad * inward, None


def bounded(x: Tensor, bound: float) -> Tensor:
    """`x` within [-bound, bound]; outside, the gradients that would bring it back pass.

    Those of a plain clamp are zero there: a token that starves once could never be given mass
    again, whatever is lost with it.
    """
    out: Tensor = _Bounded.apply(x, bound)  # type: ignore[no-untyped-call]
    return out


class MassHead(nn.Module):
    """Gives every token a mass; at the start all have the same."""

    def __init__(self, width: int, floor: float) -> None:
        """Its last weights are zero.

        Args:
            width: W.
            floor: least mass, in parts of what equal masses would be.
        """
        super().__init__()
        self.floor = floor
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.up = nn.Linear(width, width // 2)
        self.down = nn.Linear(width // 2, 1)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(
        self, x_BTW: Tensor, mask_BT: Tensor, counts_B: Tensor, gain_BT: Tensor | None = None
    ) -> Tensor:
        """Masses [B, T], float32: those of a document add up to its number of latents.

        Args:
            x_BTW: what each token says.
            mask_BT: bool, a token.
            counts_B: int64, latents of each document.
            gain_BT: float32, logarithm of a factor on the mass of each token; None for 1.
        """
        hidden = nn.functional.gelu(self.up(self.norm(x_BTW)))
        logit_BT = MASS_SLOPE * self.down(hidden).squeeze(-1).float()
        if gain_BT is not None:
            logit_BT = logit_BT + gain_BT
        mass_BT = bounded(logit_BT, MASS_BOUND).exp() * mask_BT
        equal_BT = mask_BT / mask_BT.sum(1, keepdim=True).clamp(min=1)
        part_BT = mass_BT / mass_BT.sum(1, keepdim=True).clamp(min=math.exp(-MASS_BOUND))
        mixed_BT: Tensor = self.floor * equal_BT + (1 - self.floor) * part_BT
        return counts_B[:, None] * mixed_BT


def segments(mask_BT: Tensor, counts_B: Tensor, max_latents: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut each document into as many equal segments of tokens as it has latents.

    Returns:
        Pooling weights of each token in the mean of each segment, float32 [B, K, T]; the middle
        of each segment, float32 [B, K]; which segments exist, bool [B, K].
    """
    tokens_B = mask_BT.sum(1)
    steps_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    latents_K = torch.arange(max_latents, device=mask_BT.device)
    segment_BT = steps_T[None] * counts_B[:, None] // tokens_B[:, None].clamp(min=1)
    member_BKT = (segment_BT[:, None, :] == latents_K[None, :, None]) & mask_BT[:, None, :]
    pool_BKT = member_BKT / member_BKT.sum(-1, keepdim=True).clamp(min=1)
    mask_BK = latents_K[None] < counts_B[:, None]
    return pool_BKT, _middles(pool_BKT), mask_BK


def _middles(pool_BKT: Tensor, place_BT: Tensor | None = None) -> Tensor:
    """Mean place of the tokens of each latent [B, K], float32 whatever autocast says.

    In bfloat16, places from 256 on would be even numbers: other ones than without autocast.
    """
    steps_T = torch.arange(pool_BKT.shape[2], device=pool_BKT.device)
    with torch.autocast(pool_BKT.device.type, enabled=False):
        if place_BT is None:
            return pool_BKT @ steps_T.float()
        return (pool_BKT @ place_BT.float()[..., None]).squeeze(-1)


def latent_count(tokens: int, ratio: float) -> int:
    """Latents for a document: its tokens / ratio, rounded up; at least one."""
    return max(1, math.ceil(tokens / ratio))
