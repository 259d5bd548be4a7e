"""Low-rank adapters on the reasoner's blocks: a labelled arm, in which the reader is not frozen.

They change what enters a block, and only where latents are read: a prefix carries them
(`reasoner/adapted.py`), so the ceiling, the floor and every arm of text are the frozen model's.

Shapes: L = blocks, R = width of the reasoner, r = rank.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ReaderAdapters(nn.Module):
    """One adapter before each block: x + norm(x) A B, with B = 0 at the start.

    The parallel form of He et al. 2022 (arXiv 2110.04366) on the residual stream, without a
    nonlinearity, as LoRA has none (arXiv 2106.09685).
    """

    def __init__(self, blocks: int, width: int, rank: int) -> None:
        """Adapters that change nothing yet.

        Args:
            blocks: L.
            width: R.
            rank: r.
        """
        super().__init__()
        self.down_LRr = nn.Parameter(torch.randn(blocks, width, rank) / width**0.5)
        self.up_LrR = nn.Parameter(torch.zeros(blocks, rank, width))

    def forward(self, x: Tensor, block: int) -> Tensor:
        """What enters a block, [..., R], changed.

        Args:
            x: what would enter it, in any precision.
            block: its number from 0.
        """
        unit = functional.rms_norm(x.to(self.down_LRr.dtype), x.shape[-1:])
        return x + (unit @ self.down_LRr[block] @ self.up_LrR[block]).to(x.dtype)
