"""Parts of the configs of `tiny_models.py`: sizes, attentions, mixtures, rotations."""

from typing import Any, Final

VOCABULARY: Final = 320
BLOCKS: Final = 4

SIZE: Final = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": BLOCKS,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "pad_token_id": None,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
"""Fields that most configs know; a config keeps what it does not know and it is never read."""

EQUAL_HEADS: Final = {"num_key_value_heads": 2}
WINDOW: Final = {"sliding_window": 24}
ALTERNATING: Final = {
    **WINDOW,
    "layer_types": ["sliding_attention", "full_attention"] * (BLOCKS // 2),
}
MIXTURE: Final = {
    "num_experts": 8,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
LATENT: Final = {
    "num_key_value_heads": 2,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "qk_head_dim": 24,
    "v_head_dim": 12,
    "head_dim": 8,
    "rope_interleave": True,
}
ROUTED: Final = {
    "n_routed_experts": 8,
    "num_local_experts": 8,
    "n_shared_experts": 1,
    "n_group": 2,
    "topk_group": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
}
MAMBA: Final = {
    "state_size": 8,
    "mamba_d_state": 8,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_expand": 2,
    "mamba_d_conv": 4,
    "mamba_dt_rank": 4,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 16,
    "use_mamba_kernels": False,
}
SCALED: Final = {"rope_theta": 10000.0, "original_max_position_embeddings": 64}


def longrope(short: float, long: float, width: int = 8) -> dict[str, Any]:
    return {
        "max_position_embeddings": 512,
        "original_max_position_embeddings": 64,
        "rope_parameters": {
            **SCALED,
            "rope_type": "longrope",
            "factor": 8.0,
            "short_factor": [short] * width,
            "long_factor": [long] * width,
        },
    }


def rope(kind: str, **more: float) -> dict[str, Any]:
    return {"rope_parameters": {**SCALED, "rope_type": kind, "factor": 8.0, **more}}


EYES: Final = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 28, "patch_size": 14,
}  # fmt: skip
