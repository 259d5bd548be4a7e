"""Tiny random models that vLLM's CPU kernels take: heads of 32; saved like any checkpoint."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from ..extract import tiny_models

CONTEXT = 512
"""Longest document."""

_SHAPE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.2,
}


def qwen3_moe(blocks: int = 4, **shape: Any) -> PreTrainedModel:  # noqa: ANN401
    """A mixture of experts with the parts of Qwen3-30B-A3B."""
    torch.manual_seed(0)
    experts = {"moe_intermediate_size": 32, "num_experts": 8, "num_experts_per_tok": 2}
    config = Qwen3MoeConfig(
        **_SHAPE | experts | shape, num_hidden_layers=blocks, norm_topk_prob=True
    )
    return Qwen3MoeForCausalLM(config)


def wide_moe() -> PreTrainedModel:
    """The same with the heads, the ratio of heads and the choice of experts of the 30B."""
    return qwen3_moe(
        hidden_size=256,
        moe_intermediate_size=128,
        num_attention_heads=16,
        num_key_value_heads=2,
        head_dim=128,
        num_experts=64,
        num_experts_per_tok=8,
        initializer_range=0.1,
    )


def qwen3(blocks: int = 3, head_dim: int = 32) -> PreTrainedModel:
    """A dense model with tied embeddings."""
    torch.manual_seed(0)
    shape = _SHAPE | {"head_dim": head_dim, "tie_word_embeddings": True}
    return Qwen3ForCausalLM(Qwen3Config(**shape, num_hidden_layers=blocks))


def save(
    model: PreTrainedModel,
    folder: Path,
    shard_size: str = "5GB",
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write a model and a tokenizer as a checkpoint folder."""
    cast: Any = model  # transformers wraps `to` in a way that loses its type
    return tiny_models.save(cast.to(dtype), folder, shard_size)
