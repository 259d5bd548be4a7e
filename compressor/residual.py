"""Mean-pooled teacher states, to which the Perceiver adds: what latents begin as.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width, K = latents (padded).
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import ModelConfig, ResidualStart

_EPS: Final = 1e-6
_BEGINS: Final[dict[ResidualStart, int]] = {"first": 0, "last": -1}
"""Place of the layer that begins alone, in the order of depth: the last is the deepest."""


class MeanPoolResidual(nn.Module):
    """Mean-pooled teacher states, added to what the Perceiver writes.

    The teacher's states are vectors that a reader of its kind already attends to. With this
    residual the Perceiver has only to learn what mean-pooling loses.
    """

    def __init__(self, layers: int, *, learned: bool, start: ResidualStart = "even") -> None:
        super().__init__()
        self.logits: nn.Parameter | None = None
        self.weights: nn.Parameter | None = None
        if start in _BEGINS and learned:
            # No softmax: at a share of zero it has no gradient, and at equal ones it is slow.
            alone = torch.zeros(layers)
            alone[_BEGINS[start]] = 1.0
            self.weights = nn.Parameter(alone)
        else:
            self.logits = nn.Parameter(torch.zeros(layers), requires_grad=learned)

    def forward(self, h_BTLD: Tensor, pool_BKT: Tensor) -> Tensor:
        """[B, K, D]: each layer at a root mean square of one, mixed, averaged over segments."""
        weights = self.shares() if self.weights is None else self.weights
        mixed = torch.einsum("btld,l->btd", unit(h_BTLD), weights)
        return pool_BKT @ mixed

    def shares(self) -> Tensor:
        """Share of each layer [L], by the size of its weight; they add up to one."""
        if self.weights is not None:
            return self.weights.abs() / self.weights.abs().sum()
        assert self.logits is not None
        return self.logits.softmax(0)


def residual_of(config: ModelConfig, layers: int) -> MeanPoolResidual:
    """The one that a config asks for."""
    return MeanPoolResidual(layers, learned=config.mix == "learned", start=config.residual_start)


def unit(h_BTLD: Tensor) -> Tensor:
    """States with each layer of each token at a root mean square of one, float32."""
    return functional.rms_norm(h_BTLD.float(), h_BTLD.shape[-1:], eps=_EPS)
