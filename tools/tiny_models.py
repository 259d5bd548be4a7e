"""Tiny random models of the classes of transformers, as data: one row a class and a variant.

`check_models` reads each of them with the real commands; nothing of them is trained.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from .tiny_parts import (
    ALTERNATING,
    BLOCKS,
    EQUAL_HEADS,
    EYES,
    LATENT,
    MAMBA,
    MIXTURE,
    ROUTED,
    SIZE,
    WINDOW,
    longrope,
    rope,
)


@dataclass(frozen=True, slots=True)
class TinyModel:
    """A model to make: its class by `model_type`, and what is not as in `SIZE`."""

    name: str
    kind: str
    """What is special about how it reads."""
    model_type: str
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """All fields of its config; None in `fields` takes one away."""
        dropped = {name for name, value in self.fields.items() if value is None}
        both = {**SIZE, **self.fields}
        return {name: value for name, value in both.items() if name not in dropped}


_PLAIN: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("glm", "rotation of a part", {}),
    ("glm4", "norms after attention and MLP", {}),
    ("helium", "dense", {}),
    ("nemotron", "squared activations", {}),
    ("arcee", "squared activations", {}),
    ("apertus", "learned activations", {}),
    ("hunyuan_v1_dense", "dense, query and key norms", {}),
    ("ernie4_5", "dense", {}),
    ("seed_oss", "dense, biases", {}),
    ("jais2", "dense", {}),
    ("doge", "masks made by the values", {}),
    ("diffllama", "difference of two attentions", {"num_key_value_heads": 2}),
    ("persimmon", "rotation of a part", {"num_key_value_heads": 2}),
    ("biogpt", "learned positions with an offset", {}),
    ("xglm", "sinusoidal positions", {
        "d_model": 32, "num_layers": BLOCKS, "attention_heads": 2, "ffn_dim": 48,
    }),
    ("codegen", "attention beside MLP", {
        "n_embd": 32, "n_layer": BLOCKS, "num_attention_heads": 4, "n_positions": 512,
        "rotary_dim": 8,
    }),
)  # fmt: skip

MODELS: Final = (
    TinyModel("llama", "dense", "llama"),
    TinyModel("qwen2", "dense, biases", "qwen2"),
    TinyModel("qwen3", "dense, query and key norms", "qwen3"),
    TinyModel("mistral", "sliding window", "mistral", WINDOW),
    TinyModel("ministral", "alternating windows", "ministral", ALTERNATING),
    TinyModel("gemma", "scaled embeddings", "gemma"),
    TinyModel("gemma2", "alternating windows, soft caps", "gemma2", {
        **ALTERNATING, "query_pre_attn_scalar": 16, "attn_logit_softcapping": 5.0,
    }),
    TinyModel("gemma3-text", "alternating windows, two bases of rotation", "gemma3_text", {
        **ALTERNATING, "query_pre_attn_scalar": 16,
    }),
    TinyModel("gemma3n-text", "several streams, embeddings a block", "gemma3n_text", {
        **ALTERNATING, "intermediate_size": [48] * BLOCKS, "vocab_size_per_layer_input": 320,
        "hidden_size_per_layer_input": 8, "num_kv_shared_layers": 0, "laurel_rank": 4,
        "activation_sparsity_pattern": [0.0] * BLOCKS,
    }),
    TinyModel("vaultgemma", "alternating windows, soft caps", "vaultgemma", {
        **ALTERNATING, "query_pre_attn_scalar": 16,
    }),
    TinyModel("olmo", "dense, norm without weights", "olmo"),
    TinyModel("olmo2", "norms after attention and MLP", "olmo2"),
    TinyModel("olmo3", "alternating windows", "olmo3", ALTERNATING),
    TinyModel("cohere", "attention beside MLP", "cohere"),
    TinyModel("cohere2", "alternating windows, no positions", "cohere2", ALTERNATING),
    TinyModel("smollm3", "no positions in some blocks", "smollm3", {"no_rope_layer_interval": 2}),
    TinyModel("exaone4", "alternating windows, no positions", "exaone4", ALTERNATING),
    TinyModel("granite", "scaled embeddings and residuals", "granite", {
        "embedding_multiplier": 3.0, "residual_multiplier": 0.5, "attention_multiplier": 0.2,
    }),
    TinyModel("stablelm", "rotation of a part", "stablelm", EQUAL_HEADS),
    TinyModel("phi", "attention beside MLP", "phi", EQUAL_HEADS),
    TinyModel("phi3", "dense", "phi3"),
    TinyModel("phi3-longrope", "longrope", "phi3", longrope(1.0, 4.0)),
    TinyModel("llama-yarn", "yarn", "llama", rope("yarn")),
    TinyModel("llama-llama3", "llama3 rotation", "llama", rope(
        "llama3", low_freq_factor=1.0, high_freq_factor=4.0)),
    TinyModel("llama-dynamic", "dynamic rotation", "llama", rope("dynamic")),
    TinyModel("llama-linear", "linear rotation", "llama", rope("linear")),
    TinyModel("llama-bidirectional", "bidirectional", "llama", {"is_causal": False}),
    TinyModel("qwen2-bidirectional", "bidirectional", "qwen2", {"is_causal": False}),
    TinyModel("gemma3-bidirectional", "bidirectional", "gemma3_text", {
        **ALTERNATING, "query_pre_attn_scalar": 16, "use_bidirectional_attention": True,
    }),
    TinyModel("bert", "bidirectional", "bert", {"is_decoder": False}),
    TinyModel("gpt2", "learned positions", "gpt2", {
        "n_embd": 32, "n_layer": BLOCKS, "n_head": 2, "n_positions": 512, "n_inner": 48,
    }),
    TinyModel("gpt-neo", "learned positions, local attention", "gpt_neo", {
        "num_layers": BLOCKS, "num_heads": 2, "attention_types": [[["global", "local"], 2]],
        "window_size": 24,
    }),
    TinyModel("gpt-neox", "attention beside MLP", "gpt_neox"),
    TinyModel("gpt-bigcode", "learned positions, one key head", "gpt_bigcode", {
        "n_embd": 32, "n_layer": BLOCKS, "n_head": 2, "n_positions": 512, "n_inner": 48,
    }),
    TinyModel("gptj", "attention beside MLP", "gptj", {
        "n_embd": 32, "n_layer": BLOCKS, "n_head": 2, "n_positions": 512, "rotary_dim": 8,
    }),
    TinyModel("opt", "learned positions with an offset", "opt", {
        "ffn_dim": 48, "word_embed_proj_dim": 32, "pad_token_id": 1,
    }),
    TinyModel("bloom", "linear biases, no positions", "bloom", {"n_layer": BLOCKS, "n_head": 2}),
    TinyModel("mpt", "linear biases, no positions", "mpt", {
        "d_model": 32, "n_heads": 2, "n_layers": BLOCKS, "max_seq_len": 512, "expansion_ratio": 2,
    }),
    TinyModel("falcon", "one key head, attention beside MLP", "falcon", {
        "multi_query": True, "new_decoder_architecture": False, "head_dim": None,
    }),
    TinyModel("starcoder2", "sliding window, biases", "starcoder2", WINDOW),
    TinyModel("qwen2-moe", "mixture of experts", "qwen2_moe", MIXTURE),
    TinyModel("qwen3-moe", "mixture of experts", "qwen3_moe", MIXTURE),
    TinyModel("mixtral", "mixture of experts", "mixtral", MIXTURE),
    TinyModel("olmoe", "mixture of experts", "olmoe", {**MIXTURE, **EQUAL_HEADS}),
    TinyModel("granitemoe", "mixture of experts", "granitemoe", MIXTURE),
    TinyModel("phimoe", "mixture of experts", "phimoe", MIXTURE),
    TinyModel("ernie4-5-moe", "mixture of experts", "ernie4_5_moe", {
        **MIXTURE, "moe_num_experts": 8, "moe_k": 2, "moe_num_shared_experts": 1,
    }),
    TinyModel("gpt-oss", "alternating windows, sinks, mixture of experts", "gpt_oss", {
        **MIXTURE, **ALTERNATING,
    }),
    TinyModel("llama4-text", "chunked attention, no positions, experts", "llama4_text", {
        **MIXTURE, "attention_chunk_size": 32, "intermediate_size_mlp": 48,
        "layer_types": ["chunked_attention", "full_attention"] * 2,
    }),
    TinyModel("dbrx", "mixture of experts", "dbrx", {
        "d_model": 32, "n_heads": 2, "n_layers": BLOCKS, "max_seq_len": 512,
        "attn_config": {"kv_n_heads": 1, "clip_qkv": 8.0, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2,
                       "hidden_size": 32},
    }),
    TinyModel("deepseek-v2", "latent attention, mixture of experts", "deepseek_v2", {
        **LATENT, **ROUTED,
    }),
    TinyModel("deepseek-v3", "latent attention, mixture of experts", "deepseek_v3", {
        **LATENT, **ROUTED,
    }),
    TinyModel("glm4-moe", "mixture of experts", "glm4_moe", ROUTED),
    TinyModel("minicpm3", "latent attention, residuals scaled by depth", "minicpm3", {
        **LATENT, "scale_depth": 1.4, "scale_emb": 12, "dim_model_base": 16,
    }),
    TinyModel("jamba", "attention and recurrence", "jamba", {
        **MIXTURE, **MAMBA, "attn_layer_period": 2, "attn_layer_offset": 1,
        "expert_layer_period": 2, "expert_layer_offset": 1,
    }),
    TinyModel("bamba", "attention and recurrence", "bamba", {
        **MAMBA, "attn_layer_indices": [1, 3],
    }),
    TinyModel("falcon-h1", "attention beside recurrence", "falcon_h1", {
        **MAMBA, "mamba_d_ssm": 64,
    }),
    TinyModel("granitemoehybrid", "attention and recurrence", "granitemoehybrid", {
        **MIXTURE, **MAMBA, "layer_types": ["mamba", "attention"] * 2,
    }),
    TinyModel("nemotron-h", "attention, recurrence and MLP", "nemotron_h", {
        **MAMBA, "mamba_num_heads": 4, "mamba_head_dim": 16, "ssm_state_size": 8, "n_groups": 1,
        "layers_block_type": ["mamba", "attention", "mamba", "attention"],
    }),
    TinyModel("zamba2", "shared attention and recurrence", "zamba2", {
        **MAMBA, "n_mamba_heads": 4, "mamba_headdim": 16, "mamba_ngroups": 1,
        "num_key_value_heads": 2, "layers_block_type": ["mamba", "hybrid"] * 2,
        "attention_head_dim": 32, "num_mem_blocks": 1,
    }),
    TinyModel("mamba", "state space", "mamba", MAMBA),
    TinyModel("mamba2", "state space", "mamba2", {
        **MAMBA, "num_heads": 4, "head_dim": 16, "n_groups": 1, "chunk_size": 16,
    }),
    TinyModel("recurrentgemma", "recurrence and windows", "recurrent_gemma", {
        "attention_window_size": 24, "lru_width": 32, "block_types": ["recurrent", "attention"],
    }),
    TinyModel("lfm2", "convolutions and attention", "lfm2", {
        "layer_types": ["conv", "full_attention"] * 2, "conv_L_cache": 3,
    }),
    TinyModel("qwen3-next", "linear and full attention, experts", "qwen3_next", {
        **MIXTURE, "linear_num_value_heads": 2, "linear_num_key_heads": 2,
        "linear_key_head_dim": 8, "linear_value_head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"] * 2,
    }),
    TinyModel("xlstm", "recurrence", "xlstm", {"num_blocks": BLOCKS, "num_heads": 2}),
    TinyModel("rwkv", "recurrence", "rwkv", {"attention_hidden_size": 32, "context_length": 512}),
    TinyModel("bart", "decoder of an encoder-decoder", "bart", {
        "d_model": 32, "decoder_layers": BLOCKS, "decoder_attention_heads": 2,
        "decoder_ffn_dim": 48,
    }),
    TinyModel("kimi-linear", "linear and latent attention", "kimi_linear", {
        **LATENT, **ROUTED, "q_lora_rank": None, "linear_head_dim": 8, "linear_num_heads": 2,
    }),
    TinyModel("minimax", "linear and full attention, experts", "minimax", {
        **MIXTURE, "layer_types": ["linear_attention", "full_attention"] * 2, "block_size": 16,
    }),
    TinyModel("gemma3", "vision wrapper", "gemma3", {
        "text_config": {**SIZE, **ALTERNATING, "query_pre_attn_scalar": 16},
        "vision_config": EYES, "mm_tokens_per_image": 4,
    }),
    TinyModel("qwen3-5", "vision wrapper, linear and full attention", "qwen3_5", {
        "text_config": {
            **SIZE, "layer_types": ["linear_attention", "full_attention"] * 2,
            "linear_num_value_heads": 2, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
        },
    }),
    TinyModel("llama4", "vision wrapper", "llama4", {
        "text_config": {**SIZE, **MIXTURE, "intermediate_size_mlp": 48}, "vision_config": EYES,
    }),
    TinyModel("mllama", "vision wrapper, cross attention", "mllama", {
        "text_config": {**SIZE, "cross_attention_layers": [1]},
        "vision_config": {
            **EYES, "num_global_layers": 1, "attention_heads": 2, "vision_output_dim": 32,
            "intermediate_layers_indices": [0],
        },
    }),
    TinyModel("fuyu", "vision wrapper", "fuyu", {
        "text_config": {**SIZE, **EQUAL_HEADS, "model_type": "persimmon"}, "patch_size": 2,
    }),
    *(TinyModel(name.replace("_", "-"), kind, name, fields) for name, kind, fields in _PLAIN),
)  # fmt: skip
