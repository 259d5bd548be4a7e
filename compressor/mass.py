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


def by_softmax(logit_BT: Tensor, mask_BT: Tensor, room_B1: Tensor) -> Tensor:
    """Each token's part of all latents of its document; nothing bounds it but the others."""
    mass_BT = logit_BT.exp() * mask_BT
    return room_B1 * mass_BT / mass_BT.sum(1, keepdim=True).clamp(min=math.exp(-MASS_BOUND))


def by_sigmoid(logit_BT: Tensor, mask_BT: Tensor, room_B1: Tensor) -> Tensor:
    """At most one latent for each token: sigmoids above a threshold that makes them add up.

    A token has a latent of its own where edges of latents are edges of tokens. With parts of all,
    edges stand wherever the masses before have put them, and a token has to pay for one and a half
    latents to have one for itself (docs/LOG.md, 2026-11-30). Here it cannot, and where all masses
    are near one or zero, edges are at ends of tokens.

    Args:
        logit_BT: float32, within `MASS_BOUND`.
        mask_BT: bool, a token.
        room_B1: latents of each document, no more than its tokens.
    """
    with torch.no_grad():
        low_B1 = torch.full_like(logit_BT[:, :1], -_FAR)
        high_B1 = -low_B1
        for _ in range(_HALVINGS):
            middle_B1 = (low_B1 + high_B1) / 2
            less_B1 = _above(logit_BT, middle_B1, mask_BT).sum(1, keepdim=True) < room_B1
            low_B1 = torch.where(less_B1, middle_B1, low_B1)
            high_B1 = torch.where(less_B1, high_B1, middle_B1)
        found_BT = _above(logit_BT, high_B1, mask_BT)
        slope_B1 = (found_BT * (1 - found_BT)).sum(1, keepdim=True).clamp(min=_FLAT)
    # The threshold moves with the logits, so that the sum does not: its gradient, not its value.
    total_B1 = _above(logit_BT, high_B1, mask_BT).sum(1, keepdim=True)
    threshold_B1 = high_B1 + (total_B1.detach() - total_B1) / slope_B1
    mass_BT = _above(logit_BT, threshold_B1, mask_BT)
    return mass_BT * (room_B1 / mass_BT.detach().sum(1, keepdim=True).clamp(min=_FLAT))


def _above(logit_BT: Tensor, threshold_B1: Tensor, mask_BT: Tensor) -> Tensor:
    return (logit_BT + threshold_B1).sigmoid() * mask_BT


_FAR: Final = 32.0
"""Threshold at which all masses are one, in float32."""
_HALVINGS: Final = 32
_FLAT: Final = 1e-3
"""Least slope that is divided by: where all masses are one, no threshold moves them."""

MASSES: Final = {"softmax": by_softmax, "sigmoid": by_sigmoid}
"""How logits become masses that add up to the latents of a document, by `model.mass_kind`."""


class MassHead(nn.Module):
    """Gives every token a mass; at the start all have the same."""

    def __init__(
        self, width: int, floor: float, kind: str = "softmax", together: int | None = None
    ) -> None:
        """Its last weights are zero.

        Args:
            width: W.
            floor: least mass, in parts of what equal masses would be.
            kind: row of `MASSES`.
            together: as in `given_mass`.
        """
        super().__init__()
        self.floor, self.masses, self.together = floor, MASSES[kind], together
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
            alone_BT: bool, tokens whose mass is given, whatever is learned; None for none.
        """
        room_B1 = counts_B[:, None]
        given_BT = torch.zeros_like(mask_BT, dtype=torch.float32)
        if alone_BT is not None:
            given_BT = given_mass(alone_BT, room_B1, self.together)
            room_B1, mask_BT = room_B1 - given_BT.sum(1, keepdim=True), mask_BT & ~alone_BT
        hidden = nn.functional.gelu(self.up(self.norm(x_BTW)))
        logit_BT = MASS_SLOPE * self.down(hidden).squeeze(-1).float()
        equal_BT = room_B1 * mask_BT / mask_BT.sum(1, keepdim=True).clamp(min=1)
        mass_BT = self.masses(bounded(logit_BT, MASS_BOUND), mask_BT, room_B1)
        return self.floor * equal_BT + (1 - self.floor) * mass_BT + given_BT


def given_mass(alone_BT: Tensor, room_B1: Tensor, together: int | None = None) -> Tensor:
    """Mass of tokens that get a latent each, float32 [B, T]; where they are too many, less.

    Half a latent each would be of no use untrained: what is mixed is not read. So it is nothing
    then, or a whole latent for a few that belong together, which training has to learn to fill.

    Args:
        alone_BT: bool, the tokens.
        room_B1: latents of each document, `GIVEN_SHARE` of which may be given.
        together: so many of them, side by side, share a latent where each cannot have one; None:
            then they have no mass.
    """
    room_B1 = GIVEN_SHARE * room_B1
    wanted_B1 = alone_BT.sum(1, keepdim=True)
    each_B1 = (wanted_B1 <= room_B1).float()
    if together is not None:
        shared_B1 = (wanted_B1 / together <= room_B1).float() / together
        each_B1 = torch.maximum(each_B1, shared_B1)
    return alone_BT * each_B1
