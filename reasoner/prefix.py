"""What stands before questions: the one thing that all arms of an evaluation make.

Shapes: P = positions, D = width of the reasoner.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Prefix:
    """What stands before the question: a document, a summary, latents, or nothing."""

    x_PD: Tensor
    """Input embeddings."""
    position_P: Tensor
    """int64, rotary position of each."""
    after: int
    """Position of the first token of a question."""
    adapters: nn.Module | None = None
    """What the reasoner reads it with; None: it is frozen."""

    @classmethod
    def counted(cls, x_PD: Tensor) -> "Prefix":
        """Positions 0, 1, 2, ..., as text has them."""
        return cls(x_PD, torch.arange(len(x_PD), device=x_PD.device), len(x_PD))
