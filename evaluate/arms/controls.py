"""Controls: what looks right and holds nothing of the document of the questions.

Shapes: K = latents, R = width of the reasoner.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import torch
from torch import Tensor

from ...reasoner.generate import Prefix
from ..bench import ArmInputs
from .text import ceiling


def shuffled(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of latents of another document of the same evaluation."""
    donors = donors_of([document.original for document in inputs.documents], inputs.seed)
    return [inputs.latents[donor] for donor in donors]


def other_text(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of the text of the document whose latents `shuffled` borrows, days written in.

    Where `shuffled` tells more than this, its latents do something to the reader that the document
    they are of does not; `gaussian` tells whether any vectors do.
    """
    donors = donors_of([document.original for document in inputs.documents], inputs.seed)
    prefixes = ceiling(inputs.bench.reasoner, inputs.documents)
    return [prefixes[donor] for donor in donors]


def zero(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of as many latents, all zero: the effect of their mere presence."""
    return _with_vectors(inputs, [torch.zeros_like(x_KR) for x_KR in inputs.vectors])


def gaussian(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of random vectors, each with the norm of the latent it replaces."""
    return _with_vectors(inputs, random_directions(inputs.vectors, inputs.seed))


def donors_of(originals: Sequence[str], seed: int) -> list[int]:
    """For every document, or beginning of one, the one whose latents it borrows.

    Whole documents lend and borrow in one cycle. A beginning borrows from the beginning of the
    next document that is as far from its end: never from its own document, which holds its facts,
    and from one that has read about as much.

    Args:
        originals: id of the whole document behind each; at least two different ones.
        seed: of the cycle.

    Raises:
        ValueError: they are all of one document.
    """
    parts: dict[str, list[int]] = {}
    for index, original in enumerate(originals):
        parts.setdefault(original, []).append(index)
    groups = list(parts.values())
    donors = [0] * len(originals)
    for own, number in zip(groups, donor_cycle(len(groups), seed), strict=True):
        other = groups[number]
        for place, index in enumerate(own):
            donors[index] = other[max(0, len(other) - len(own) + place)]
    return donors


def donor_cycle(count: int, seed: int) -> list[int]:
    """For every document the one whose latents it borrows: a single cycle through all of them.

    So every document lends once and borrows once, and none borrows from itself.

    Args:
        count: documents, at least two.
        seed: of the cycle.

    Raises:
        ValueError: fewer than two documents.
    """
    if count < 2:
        raise ValueError(f"{count} document: shuffling needs at least 2")
    cycle = Random(f"shuffled/{seed}").sample(range(count), count)
    following = dict(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    return [following[index] for index in range(count)]


def random_directions(vectors: Sequence[Tensor], seed: int) -> list[Tensor]:
    """Random directions [K, R], each vector keeping its own norm."""
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for x_KR in vectors:
        noise = torch.randn(x_KR.shape, generator=generator).to(x_KR)
        drawn.append(noise / noise.norm(dim=-1, keepdim=True) * x_KR.norm(dim=-1, keepdim=True))
    return drawn


def _with_vectors(inputs: ArmInputs, vectors: Sequence[Tensor]) -> list[Prefix]:
    """The latents' prefixes with other vectors behind the head."""
    return [
        replace(latents, x_PD=torch.cat([latents.x_PD[: inputs.head], x_KR]))
        for latents, x_KR in zip(inputs.latents, vectors, strict=True)
    ]
