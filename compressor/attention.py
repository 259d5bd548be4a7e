"""Attention whose queries and keys know where in the document they are.

Shapes: B = documents, Q = queries, K = keys, W = width, H = heads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def rotate(x_BHSE: Tensor, position_BS: Tensor) -> Tensor:
    """Rotary position embedding [Su et al. 2021, arXiv 2104.09864, eq. 34].

    Args:
        x_BHSE: queries or keys [B, H, S, E], E even.
        position_BS: place in the document in tokens; fractions are fine, which is how a latent
            sits in the middle of the tokens that it stands for.
    """
    half = x_BHSE.shape[-1] // 2
    steps = torch.arange(half, device=x_BHSE.device, dtype=torch.float32) / half
    angle = position_BS[:, None, :, None].float() * 10_000.0**-steps
    cos, sin = angle.cos().to(x_BHSE.dtype), angle.sin().to(x_BHSE.dtype)
    left, right = x_BHSE[..., :half], x_BHSE[..., half:]
    return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)


class Attention(nn.Module):
    """Multi-head attention of some positions to others, padding left out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self,
        x_BQW: Tensor,
        position_BQ: Tensor,
        source_BKW: Tensor,
        source_position_BK: Tensor,
        source_mask: Tensor,
    ) -> Tensor:
        """What each of the Q positions reads from the K positions: [B, Q, W].

        Args:
            x_BQW: the positions that read.
            position_BQ: their places in the document, in tokens.
            source_BKW: the positions that are read.
            source_position_BK: their places.
            source_mask: bool, what may be read: by all alike [B, K], or by each [B, Q, K], none of
                whose rows may be empty.
        """
        q_BHQE = rotate(self._split(self.query(x_BQW)), position_BQ)
        key, value = self.key_value(source_BKW).chunk(2, -1)
        k_BHKE = rotate(self._split(key), source_position_BK)
        mask = source_mask[:, None] if source_mask.ndim == 3 else source_mask[:, None, None, :]
        read = functional.scaled_dot_product_attention(
            q_BHQE, k_BHKE, self._split(value), attn_mask=mask
        )
        read_BQW: Tensor = self.out(read.transpose(1, 2).flatten(2))
        return read_BQW

    def _split(self, x_BSW: Tensor) -> Tensor:
        return x_BSW.reshape(*x_BSW.shape[:2], self.heads, -1).transpose(1, 2)


class GatedMLP(nn.Module):
    """SwiGLU [Shazeer 2020, arXiv 2002.05202]."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] to [..., W]."""
        gate, value = self.up(x).chunk(2, -1)
        return self.down(functional.silu(gate) * value)  # type: ignore[no-any-return]
