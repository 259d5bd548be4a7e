"""The compressor: a Perceiver that reads teacher states and writes K latents.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width, W = inner width,
K = latents (padded), E = width of one latent.

After Perceiver [Jaegle et al. 2021, arXiv 2103.03206], with three changes from the literature on
context compression: teacher layers are mixed by learned weights (ComprExIT, arXiv 2602.03784);
queries start from the mean of their own segment of tokens instead of free vectors (arXiv
2510.20797); queries and keys carry rotary positions. Time comes in as metadata: bucket, order of
the chunk, and the digits of its day, which may also stand among the tokens (`day_tokens.py`).
"""

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor, nn

from .allocation import Allocation, allocate_by_mass, allocate_equally
from .attention import Attention, GatedMLP
from .config import ModelConfig
from .day_tokens import DayTokens
from .identity import begin_as_identity
from .mass import MassHead, within_chunks
from .memory import Memory
from .mixing import MixingLayer
from .residual import residual_of, unit
from .slots import SlotConcat
from .states import States
from .token_inputs import LayerMix, TimeEmbedding
from .token_sequence import TokenSequence, as_sequence
from .window import around_segments

_EPS: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Latents:
    """What stands for the documents."""

    z_BKE: Tensor
    mask_BK: Tensor
    """bool: a latent, not padding."""
    position_BK: Tensor
    """float32: middle of the segment of tokens that the latent stands for."""
    mass_BT: Tensor | None = None
    """float32: learned mass of each token; None where latents stand for equally many tokens. That
    of digits of days is counted to the first token of their chunk."""
    latent_BT: Tensor | None = None
    """int64: which latent each token is in, where tokens go whole; without meaning at padding."""


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
        near: Tensor,
    ) -> Tensor:
        """[B, K, W] to [B, K, W]; `near` says which tokens may be read, as in `Attention`."""
        normed = self.cross_norm(z_BKW)
        z_BKW = z_BKW + self.cross_attn(normed, position_BK, x_BTW, position_BT, near)
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

        Raises:
            ValueError: digits of days, which need room of their own, in equal segments; slots of
                segments that no token is split for.
        """
        super().__init__()
        _check_edges(config)
        assert config.width and config.heads and config.latent_width, "resolve the config first"
        width, learned = config.width, config.mix == "learned"
        self.local_queries = config.queries == "local_mean"
        self.window = config.window
        self.slots = config.slots if config.pooling == "concat" else 0
        self.mix = LayerMix(layers, teacher_width, width, learned=learned)
        self.time = TimeEmbedding(width, config.time_std) if config.time else None
        self.token_mlp_norm = nn.RMSNorm(width, eps=_EPS)
        self.token_mlp = GatedMLP(width, width)
        self.token_norm = nn.RMSNorm(width, eps=_EPS)
        self.start = nn.Parameter(torch.randn(width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.blocks))
        self.out_norm = nn.RMSNorm(width, eps=_EPS) if config.end_norm else nn.Identity()
        self.out = nn.Linear(width, config.latent_width, bias=False)
        pooled = config.residual and config.latent_width == teacher_width
        self.residual = residual_of(config, layers) if pooled else None
        if pooled:
            nn.init.zeros_(self.out.weight)
        # After the rest: weights of a config without these are drawn as ever.
        self.mixing = nn.ModuleList(
            MixingLayer(config.mixing_kind, width, config.heads, config.mixing_window)
            for _ in range(config.mixing)
        )
        by_mass = config.allocation == "learned_mass"
        self.mass = _mass_head(config) if by_mass else None
        self.edges = config.mass_edges
        self.query_slots = (
            SlotConcat(self.slots, width, width) if self.slots and self.local_queries else None
        )
        self.residual_slots = (
            SlotConcat(self.slots, layers * teacher_width, teacher_width)
            if self.slots and pooled
            else None
        )
        self.days: DayTokens | None = None
        if _says_days(config, teacher_width):
            given = config.day_start != "fresh"
            self.days = DayTokens(config.day_tokens, width, config.latent_width if given else None)
        self.remember: nn.Module | None = None
        if config.memory == "revise":
            self.remember = nn.Sequential(
                nn.RMSNorm(config.latent_width, eps=_EPS),
                nn.Linear(config.latent_width, width, bias=False),
            )
        if config.start == "identity":
            begin_as_identity(self)

    def forward(
        self, states: States, counts_B: Tensor, max_latents: int, memory: Memory | None = None
    ) -> Latents:
        """Compress each document into its number of latents.

        Args:
            states: of the batch.
            counts_B: int64, latents of each document, 1 <= count <= its tokens and those latents
                of its memory.
            max_latents: K, at least the largest count; given so that shapes do not depend on data.
            memory: latents of what came before, to be rewritten with these tokens; None for none.
        """
        text = self._mixed(self._sequence(states))
        if memory is not None:
            assert self.remember is not None, "only with model.memory=revise"
            text = text.behind(memory, self.remember(memory.z_BKE))
        mask_BS, position_BS = text.mask_BS, text.position_BS
        given = self._allocation(text.x_BSW, text, counts_B, max_latents)
        position_BK, mask_BK = given.position_BK, given.mask_BK
        x_BSW = self.token_norm(text.x_BSW)
        z_BKW = self._queries(x_BSW, given) + self.start
        near = mask_BS
        if self.window is not None:
            near = around_segments(given.pool_BKT, mask_BS, self.window)
        for block in self.blocks:
            z_BKW = block(z_BKW, position_BK, mask_BK, x_BSW, position_BS, near)
        z_BKE = self._on_pooled(self.out(self.out_norm(z_BKW)), states, text, given)
        mass_BT = latent_BT = None
        if given.mass_BT is not None and memory is None:
            mass_BT = text.folded(given.mass_BT)
            if self.edges == "token":
                latent_BT = text.of_text(given.pool_BKT).argmax(1)
        return Latents(z_BKE, mask_BK, position_BK, mass_BT, latent_BT)

    def _sequence(self, states: States) -> TokenSequence:
        """What each token says, and digits of days among them if the config has them so."""
        x_BTW = self.mix(states.h_BTLD)
        if self.time is not None:
            x_BTW = x_BTW + self.time(states)
        if self.days is not None:
            return self.days(x_BTW, states)  # type: ignore[no-any-return]
        return as_sequence(x_BTW, states.mask_BT, states.chunk_BT)

    def _mixed(self, text: TokenSequence) -> TokenSequence:
        """What latents are made of: each vector through an MLP, and mixed with its neighbours."""
        x_BSW = text.x_BSW + self.token_mlp(self.token_mlp_norm(text.x_BSW))
        for layer in self.mixing:
            x_BSW = layer(x_BSW, text.position_BS, text.mask_BS)
        return replace(text, x_BSW=x_BSW)

    def _on_pooled(
        self, z_BKE: Tensor, states: States, text: TokenSequence, given: Allocation
    ) -> Tensor:
        """What was written, added to what stands for the tokens and digits of each latent."""
        if self.residual is not None:
            z_BKE = z_BKE + self.residual(states.h_BTLD, text.of_text(given.pool_BKT))
        if self.residual_slots is not None:
            assert given.slots_BST is not None
            slots_BST = text.of_text(given.slots_BST)
            z_BKE = z_BKE + self.residual_slots(unit(states.h_BTLD).flatten(2), slots_BST)
        if text.own_BSE is not None:
            z_BKE = z_BKE + given.pool_BKT.to(text.own_BSE) @ text.own_BSE
        return z_BKE

    def _allocation(
        self, x_BSW: Tensor, text: TokenSequence, counts_B: Tensor, max_latents: int
    ) -> Allocation:
        if self.mass is None:
            place_BS = text.position_BS if self.remember is not None else None
            return allocate_equally(text.mask_BS, counts_B, max_latents, self.slots, place_BS)
        mass_BS = self.mass(x_BSW, text.mask_BS, counts_B, text.alone_BS)
        if self.edges != "document":
            mass_BS = within_chunks(mass_BS, text.chunk_BS, text.mask_BS)
        whole, place_BS = self.edges == "token", text.position_BS
        return allocate_by_mass(
            mass_BS, counts_B, max_latents, self.slots, place_BS, whole_tokens=whole
        )

    def _queries(self, x_BSW: Tensor, given: Allocation) -> Tensor:
        """What latents start from, but for what they all start from: [B, K, W]."""
        local_BKW = given.pool_BKT.to(x_BSW) @ x_BSW
        if not self.local_queries:
            return torch.zeros_like(local_BKW)
        if self.query_slots is not None:
            assert given.slots_BST is not None
            local_BKW = local_BKW + self.query_slots(x_BSW, given.slots_BST)
        return local_BKW


def _mass_head(config: ModelConfig) -> MassHead:
    assert config.width is not None, "resolve the config first"
    # A word and its digits: what `DayTokens` puts before a chunk.
    together = config.day_tokens + 1 if config.day_crowded == "shared" else None
    return MassHead(config.width, config.mass_floor, config.mass_kind, together)


def _check_edges(config: ModelConfig) -> None:
    if config.mass_edges == "token" and config.pooling == "concat":
        raise ValueError(
            "model.mass_edges is token, and model.pooling=concat cuts segments into slots of parts "
            "of tokens; it needs model.pooling=mean or model.mass_edges=chunk"
        )


def _says_days(config: ModelConfig, teacher_width: int) -> bool:
    if not (config.time and config.day_tokens):
        return False
    if config.allocation != "learned_mass":
        raise ValueError(
            f"model.day_tokens is {config.day_tokens}, and equal segments give a digit no room of "
            "its own; it needs model.allocation=learned_mass"
        )
    if config.day_start == "tokens" and config.latent_width != teacher_width:
        raise ValueError(
            f"model.day_start is tokens, for latents as wide as a teacher state, {teacher_width}; "
            f"model.latent_width is {config.latent_width}"
        )
    return True
