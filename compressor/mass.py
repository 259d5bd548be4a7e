"""Learned mass: how much of a latent each token gets.

Shapes: B = documents, T = tokens (padded), W = inner width.
"""

import math
from typing import Any, Final

import torch
from torch import Tensor, nn

MASS_SLOPE: Final = 4.0
"""Logarithm of a mass per unit of what the head says, so that mass moves faster than weights."""
MASS_BOUND: Final = 4.0
"""Natural logarithm of the largest mass before scaling; the smallest is its reciprocal."""
GIVEN_SHARE: Final = 1 / 3
"""Most of a document's latents that may be given without being learned."""


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
        self, x_BTW: Tensor, mask_BT: Tensor, counts_B: Tensor, alone_BT: Tensor | None = None
    ) -> Tensor:
        """Masses [B, T], float32: those of a document add up to its number of latents.

        Args:
            x_BTW: what each token says.
            mask_BT: bool, a token.
            counts_B: int64, latents of each document.
            alone_BT: bool, tokens that get the mass of a latent each, whatever is learned, or
                equal parts of `GIVEN_SHARE` of them where there are too few; None for none.
        """
        room_B1 = counts_B[:, None]
        given_BT = torch.zeros_like(mask_BT, dtype=torch.float32)
        if alone_BT is not None:
            given_BT = one_latent_each(alone_BT, room_B1)
            room_B1, mask_BT = room_B1 - given_BT.sum(1, keepdim=True), mask_BT & ~alone_BT
        hidden = nn.functional.gelu(self.up(self.norm(x_BTW)))
        logit_BT = MASS_SLOPE * self.down(hidden).squeeze(-1).float()
        mass_BT = bounded(logit_BT, MASS_BOUND).exp() * mask_BT
        equal_BT = mask_BT / mask_BT.sum(1, keepdim=True).clamp(min=1)
        part_BT = mass_BT / mass_BT.sum(1, keepdim=True).clamp(min=math.exp(-MASS_BOUND))
        mixed_BT: Tensor = self.floor * equal_BT + (1 - self.floor) * part_BT
        return room_B1 * mixed_BT + given_BT


def one_latent_each(alone_BT: Tensor, room_B1: Tensor) -> Tensor:
    """Mass of tokens that get a latent each, float32 [B, T], and at most a share of the room."""
    tokens_B1 = alone_BT.sum(1, keepdim=True).clamp(min=1)
    return alone_BT * (GIVEN_SHARE * room_B1 / tokens_B1).clamp(max=1)
