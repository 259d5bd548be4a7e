"""Where the optimisation of latents begins: a plain table, one function a row.

Shapes: B = documents, K = latents, T = tokens, L = layers, D = teacher width, R = reasoner width.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

import torch
from torch import Tensor, nn

from ...compressor.model import compress
from ...compressor.states import States
from ...reasoner.frozen import FrozenReasoner


@dataclass(frozen=True, slots=True)
class StartInputs:
    """What a start may be made of, on the device of the reasoner."""

    reasoner: FrozenReasoner
    document_ids: tuple[str, ...]
    token_ids_BT: Tensor
    """int64: of the documents, the prompt's head included."""
    pool_BKT: Tensor
    """float32: weights of each token in the mean of each latent's segment."""
    ratio: float
    seed: int
    states: States | None = None
    """Teacher states, for those starts that ask for them."""


Start = Callable[[StartInputs], Tensor]
"""Vectors [B, K, R], float32, in the reasoner's input space."""


def embeddings(given: StartInputs) -> Tensor:
    """The mean of the token embeddings of each segment."""
    return given.pool_BKT @ given.reasoner.embed(given.token_ids_BT).float()


def states(given: StartInputs) -> Tensor:
    """The mean of the reasoner's own states of each segment, at the size of its embeddings.

    Each state and each layer counts alike, and every mean has the RMS of the embeddings.
    """
    assert given.states is not None
    h_BTLD = given.states.h_BTLD.float()
    unit = nn.functional.rms_norm(h_BTLD, h_BTLD.shape[-1:], eps=1e-6).mean(2)
    means = given.pool_BKT @ unit
    return nn.functional.rms_norm(means, means.shape[-1:]) * given.reasoner.embedding_rms()


def random(given: StartInputs) -> Tensor:
    """Normal numbers of the size of the embeddings, drawn by document."""
    shape = (given.pool_BKT.shape[1], given.reasoner.width)
    drawn = []
    for document_id in given.document_ids:
        bits = Random(f"start/{given.seed}/{document_id}").getrandbits(63)
        drawn.append(torch.randn(shape, generator=torch.Generator().manual_seed(bits)))
    return torch.stack(drawn).to(given.pool_BKT) * given.reasoner.embedding_rms()


def of_model(model: nn.Module) -> Start:
    """The vectors that a trained compressor writes at this ratio."""

    @torch.no_grad()
    def start(given: StartInputs) -> Tensor:
        assert given.states is not None
        x_BKR = compress(model, given.states, given.ratio).x_BKR.float()
        return x_BKR[:, : given.pool_BKT.shape[1]]

    return start


STARTS: Final[dict[str, Start]] = {"embeddings": embeddings, "states": states, "random": random}
"""By name."""
