"""Controls: latents that look right and hold nothing of the document that is asked about.

Shapes: K = latents, R = width of the reasoner.
"""

from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor


def others(count: int, seed: int) -> list[int]:
    """For every document the one whose latents it borrows: a single cycle through all of them.

    So every document lends once and borrows once, and none borrows from itself.

    Args:
        count: documents; at least two, else there is nobody to borrow from.
        seed: of the cycle.
    """
    if count < 2:
        raise ValueError(f"{count} document: shuffling needs at least 2")
    cycle = Random(f"shuffled/{seed}").sample(range(count), count)
    following = dict(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    return [following[index] for index in range(count)]


def zeros(latents: Sequence[Tensor]) -> list[Tensor]:
    """As many latents, all zero: what their mere presence does."""
    return [torch.zeros_like(x_KR) for x_KR in latents]


def gaussian(latents: Sequence[Tensor], seed: int) -> list[Tensor]:
    """Random directions, each latent keeping its own norm."""
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for x_KR in latents:
        noise = torch.randn(x_KR.shape, generator=generator).to(x_KR)
        drawn.append(noise / noise.norm(dim=-1, keepdim=True) * x_KR.norm(dim=-1, keepdim=True))
    return drawn
