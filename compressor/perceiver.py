"""The compressor: a Perceiver that reads teacher states and writes K latents.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width, W = inner width,
K = latents (padded), E = width of one latent.

After Perceiver [Jaegle et al. 2021, arXiv 2103.03206], with three changes from the literature on
context compression: teacher layers are mixed by learned weights (ComprExIT, arXiv 2602.03784);
queries start from the mean of their own segment of tokens instead of free vectors (arXiv
2510.20797); queries and keys carry rotary positions. Time comes in as metadata: bucket, order of
the chunk, and the digits of its day.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import Attention, GatedMLP
from .config import ModelConfig
from .states import States

MAX_CHUNKS: Final = 1024
"""Chunks beyond this share the last order embedding."""
DAY_DIGITS: Final = 5
_EPS: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Latents:
    """What stands for the documents."""

    z_BKE: Tensor
    mask_BK: Tensor
    """bool: a latent, not padding."""
    position_BK: Tensor
    """float32: middle of the segment of tokens that the latent stands for."""


class TimeEmbedding(nn.Module):
    """Bucket, chunk order and day of every token, as one vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bucket = nn.Embedding(3, width)
        self.order = nn.Embedding(MAX_CHUNKS, width)
        self.digits = nn.Embedding(10 * DAY_DIGITS + 1, width)  # the last row: no day known
        for table in (self.bucket, self.order, self.digits):
            nn.init.normal_(table.weight, std=0.02)

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


class MeanPoolResidual(nn.Module):
    """Mean-pooled teacher states, added to what the Perceiver writes.

    The teacher's states are vectors that a reader of its kind already attends to. With this
    residual the Perceiver has only to learn what mean-pooling loses.
    """

    def __init__(self, layers: int, *, learned: bool) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(layers), requires_grad=learned)

    def forward(self, h_BTLD: Tensor, pool_BKT: Tensor) -> Tensor:
        """[B, K, D]: each layer at a root mean square of one, mixed, averaged over segments."""
        h_BTLD = functional.rms_norm(h_BTLD.float(), h_BTLD.shape[-1:], eps=_EPS)
        mixed = torch.einsum("btld,l->btd", h_BTLD, self.logits.softmax(0))
        return pool_BKT @ mixed


class Block(nn.Module):
    """Latents cross-attend to the tokens, self-attend, and pass a gated MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.cross_norm, self.self_norm, self.mlp_norm = (
            nn.RMSNorm(width, eps=_EPS) for _ in range(3)
        )
        self.cross_attn = Attention(width, heads)
        self.self_attn = Attention(width, heads)
        self.mlp = GatedMLP(width, 2 * width)

    def forward(
        self,
        z_BKW: Tensor,
        position_BK: Tensor,
        mask_BK: Tensor,
        x_BTW: Tensor,
        position_BT: Tensor,
        mask_BT: Tensor,
    ) -> Tensor:
        """[B, K, W] to [B, K, W]."""
        normed = self.cross_norm(z_BKW)
        z_BKW = z_BKW + self.cross_attn(normed, position_BK, x_BTW, position_BT, mask_BT)
        normed = self.self_norm(z_BKW)
        z_BKW = z_BKW + self.self_attn(normed, position_BK, normed, position_BK, mask_BK)
        return z_BKW + self.mlp(self.mlp_norm(z_BKW))  # type: ignore[no-any-return]


class Perceiver(nn.Module):
    """Teacher states of T tokens in, K latents out."""

    def __init__(self, config: ModelConfig, layers: int, teacher_width: int) -> None:
        """Builds the tensors of a resolved config.

        Args:
            config: with no None left in it (`ModelConfig.resolved`).
            layers: L, teacher layers read.
            teacher_width: D.
        """
        super().__init__()
        assert config.width and config.heads and config.latent_width, "resolve the config first"
        width, learned = config.width, config.mix == "learned"
        self.local_queries = config.queries == "local_mean"
        self.mix = LayerMix(layers, teacher_width, width, learned=learned)
        self.time = TimeEmbedding(width) if config.time else None
        self.token_mlp_norm = nn.RMSNorm(width, eps=_EPS)
        self.token_mlp = GatedMLP(width, width)
        self.token_norm = nn.RMSNorm(width, eps=_EPS)
        self.start = nn.Parameter(torch.randn(width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.blocks))
        self.out_norm = nn.RMSNorm(width, eps=_EPS)
        self.out = nn.Linear(width, config.latent_width, bias=False)
        pooled = config.residual and config.latent_width == teacher_width
        self.residual = MeanPoolResidual(layers, learned=learned) if pooled else None
        if self.residual is not None:
            nn.init.zeros_(self.out.weight)

    def forward(self, states: States, counts_B: Tensor, max_latents: int) -> Latents:
        """Compress each document into its number of latents.

        Args:
            states: of the batch.
            counts_B: int64, latents of each document, 1 <= count <= its tokens.
            max_latents: K, at least the largest count; given so that shapes do not depend on data.
        """
        x_BTW = self.mix(states.h_BTLD)
        if self.time is not None:
            x_BTW = x_BTW + self.time(states)
        x_BTW = x_BTW + self.token_mlp(self.token_mlp_norm(x_BTW))
        x_BTW = self.token_norm(x_BTW)
        steps = torch.arange(x_BTW.shape[1], device=x_BTW.device)
        position_BT = steps.expand(len(x_BTW), -1)
        pool_BKT, position_BK, mask_BK = segments(states.mask_BT, counts_B, max_latents)
        local_BKW = pool_BKT.to(x_BTW) @ x_BTW
        z_BKW = (local_BKW if self.local_queries else torch.zeros_like(local_BKW)) + self.start
        for block in self.blocks:
            z_BKW = block(z_BKW, position_BK, mask_BK, x_BTW, position_BT, states.mask_BT)
        z_BKE = self.out(self.out_norm(z_BKW))
        if self.residual is not None:
            z_BKE = z_BKE + self.residual(states.h_BTLD, pool_BKT)
        return Latents(z_BKE, mask_BK, position_BK)


def segments(mask_BT: Tensor, counts_B: Tensor, max_latents: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut each document into as many equal segments of tokens as it has latents.

    Returns:
        Pooling weights of each token in the mean of each segment, float32 [B, K, T]; the middle
        of each segment, float32 [B, K]; which segments exist, bool [B, K].
    """
    tokens_B = mask_BT.sum(1)
    steps_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    latents_K = torch.arange(max_latents, device=mask_BT.device)
    segment_BT = steps_T[None] * counts_B[:, None] // tokens_B[:, None].clamp(min=1)
    member_BKT = (segment_BT[:, None, :] == latents_K[None, :, None]) & mask_BT[:, None, :]
    pool_BKT = member_BKT / member_BKT.sum(-1, keepdim=True).clamp(min=1)
    mask_BK = latents_K[None] < counts_B[:, None]
    return pool_BKT, pool_BKT @ steps_T.float(), mask_BK


def latent_count(tokens: int, ratio: float) -> int:
    """Latents for a document: its tokens / ratio, rounded up; at least one."""
    return max(1, math.ceil(tokens / ratio))
