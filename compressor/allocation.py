"""Which tokens each latent stands for: equal segments, or segments of equal learned mass.

Shapes: B = documents, T = tokens (padded), K = latents (padded), S = slots of all latents,
W = inner width.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

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
    mask_BT: Tensor,
    counts_B: Tensor,
    max_latents: int,
    slots: int = 0,
    place_BT: Tensor | None = None,
) -> Allocation:
    """As many tokens for every latent.

    Args:
        mask_BT: bool, a token.
        counts_B: int64, latents of each document.
        max_latents: K, at least the largest count.
        slots: of every latent; 0 for none.
        place_BT: of each token in its document, where they do not count on from 0.
    """
    pool_BKT, position_BK, mask_BK = segments(mask_BT, counts_B, max_latents)
    if place_BT is not None:
        position_BK = _middles(pool_BKT, place_BT)
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
    *,
    whole_tokens: bool = False,
) -> Allocation:
    """As much mass for every latent: continuous integrate-and-fire [Dong & Xu 2020, 1905.11235].

    Latent k takes the tokens whose cumulated mass lies in [k, k+1); a token across an edge goes to
    both, in proportion. With whole tokens, each goes to the latent that the middle of its mass
    falls into, and counts there by its mass: edges have no gradient, shares in a latent have one.

    Args:
        mass_BT: float32, adding up to the number of latents of each document; 0 for padding.
        counts_B: int64, latents of each document.
        max_latents: K, at least the largest count.
        slots: of every latent; 0 for none.
        place_BT: of each token in its document, where they do not count on from 0.
        whole_tokens: whether edges are at the ends of tokens; not with slots.
    """
    mask_BK = torch.arange(max_latents, device=mass_BT.device)[None] < counts_B[:, None]
    assert not (whole_tokens and slots)
    pool_BKT = _whole(mass_BT, counts_B, max_latents) if whole_tokens else _shares(mass_BT, mask_BK)
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


def _whole(mass_BT: Tensor, counts_B: Tensor, max_latents: int) -> Tensor:
    """Shares of whole tokens, by mass in the one latent that each is in: [B, K, T]."""
    latent_BT = whole_token_latents(mass_BT.detach(), counts_B)
    member_BTK = nn.functional.one_hot(latent_BT, max_latents).to(mass_BT.dtype)
    weight_BKT = (member_BTK * mass_BT[..., None]).transpose(1, 2)
    return weight_BKT / weight_BKT.sum(-1, keepdim=True).clamp(min=1e-6)


def whole_token_latents(mass_BT: Tensor, counts_B: Tensor) -> Tensor:
    """The latent of each token, by the middle of its mass: int64 [B, T].

    Never more than one on from the token before, and the last latent is reached: so each has a
    token, however large a mass is.
    """
    tokens_B1 = (mass_BT > 0).sum(1, keepdim=True)
    middle_BT = mass_BT.double().cumsum(1) - mass_BT.double() / 2
    steps_T = torch.arange(mass_BT.shape[1], device=mass_BT.device)
    latent_BT = middle_BT.floor().long()
    latent_BT[:, 0] = 0
    latent_BT = (latent_BT - steps_T).cummin(1).values + steps_T
    least_BT = counts_B[:, None] - tokens_B1 + steps_T
    return torch.minimum(torch.maximum(latent_BT, least_BT), counts_B[:, None] - 1)


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
