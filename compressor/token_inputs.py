"""What the compressor knows of each token: its layers, mixed, and when it was written.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width, W = inner width.
"""

from typing import Final

import torch
from torch import Tensor, nn

from .states import DAY_DIGITS, States

MAX_CHUNKS: Final = 1024
"""Chunks beyond this share the last order embedding."""
_EPS: Final = 1e-6


class TimeEmbedding(nn.Module):
    """Bucket, chunk order and day of every token, as one vector."""

    def __init__(self, width: int, std: float) -> None:
        super().__init__()
        self.bucket = nn.Embedding(3, width)
        self.order = nn.Embedding(MAX_CHUNKS, width)
        self.digits = nn.Embedding(10 * DAY_DIGITS + 1, width)  # the last row: no day known
        for table in (self.bucket, self.order, self.digits):
            nn.init.normal_(table.weight, std=std)

    def forward(self, states: States) -> Tensor:
        """[B, T, W]. Days are embedded by digits, so unseen days are encoded too."""
        order = states.chunk_BT.clamp(max=MAX_CHUNKS - 1)
        known = states.day_BT >= 0
        day = states.day_BT.clamp(min=0)
        total = self.bucket(states.bucket_BT) + self.order(order)
        for place in range(DAY_DIGITS):
            row = day // 10**place % 10 + 10 * place
            total = total + self.digits(torch.where(known, row, 10 * DAY_DIGITS))
        return total  # type: ignore[no-any-return]


class LayerMix(nn.Module):
    """Normalise each layer, project it, and add the layers up by learned weights."""

    def __init__(self, layers: int, teacher_width: int, width: int, *, learned: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.RMSNorm(teacher_width, eps=_EPS) for _ in range(layers))
        self.projections = nn.ModuleList(
            nn.Linear(teacher_width, width, bias=False) for _ in range(layers)
        )
        self.logits = nn.Parameter(torch.zeros(layers), requires_grad=learned)

    def forward(self, h_BTLD: Tensor) -> Tensor:
        """[B, T, W]."""
        # Times the number of layers, so that the scale at the start does not depend on it.
        weights = self.shares() * len(self.projections)
        parts = [
            weights[layer] * project(norm(h_BTLD[:, :, layer].float()))
            for layer, (norm, project) in enumerate(zip(self.norms, self.projections, strict=True))
        ]
        return torch.stack(parts).sum(0)

    def shares(self) -> Tensor:
        """Learned share of each layer [L]; they add up to one."""
        return self.logits.softmax(0)
