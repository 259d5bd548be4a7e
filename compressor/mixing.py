"""Token mixing: layers in which every token reads its neighbours, before there are latents.

Shapes: B = documents, T = tokens (padded), W = inner width.
"""

from collections.abc import Callable
from typing import Final

from torch import Tensor, nn

from .attention import Attention, GatedMLP
from .window import around_tokens


class NeighbourAttention(nn.Module):
    """Self-attention of every token to those at most `window` places away."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attention = Attention(width, heads)

    def forward(self, x_BTW: Tensor, position_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """[B, T, W] to [B, T, W]."""
        near_BTT = around_tokens(mask_BT, self.window)
        mixed: Tensor = self.attention(x_BTW, position_BT, x_BTW, position_BT, near_BTT)
        return mixed


class NeighbourConvolution(nn.Module):
    """Depthwise convolution over 2 `window` + 1 tokens, then a map of the channels."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        """`heads` is that of the table and not used."""
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 2 * window + 1, padding=window, groups=width)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x_BTW: Tensor, position_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """[B, T, W] to [B, T, W]."""
        kept_BWT = (x_BTW * mask_BT[..., None]).transpose(1, 2)
        mixed: Tensor = self.out(self.convolution(kept_BWT).transpose(1, 2))
        return mixed


Mixer = Callable[[int, int, int], nn.Module]

MIXERS: Final[dict[str, Mixer]] = {
    "attention": NeighbourAttention,
    "convolution": NeighbourConvolution,
}
"""How tokens are mixed: (width, heads, window) -> module."""


class MixingLayer(nn.Module):
    """Tokens read their neighbours and pass a gated MLP."""

    def __init__(self, kind: str, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.mixer_norm, self.mlp_norm = (nn.RMSNorm(width, eps=1e-6) for _ in range(2))
        self.mixer = MIXERS[kind](width, heads, window)
        self.mlp = GatedMLP(width, 2 * width)

    def forward(self, x_BTW: Tensor, position_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """[B, T, W] to [B, T, W]."""
        x_BTW = x_BTW + self.mixer(self.mixer_norm(x_BTW), position_BT, mask_BT)
        return x_BTW + self.mlp(self.mlp_norm(x_BTW))  # type: ignore[no-any-return]
