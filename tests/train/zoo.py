"""Tiny random models of real classes, as reasoners; those that can be and those that cannot."""

from typing import Any

import torch
import transformers

from latentcomp.models.loading import CausalLM
from latentcomp.models.prompt import PromptTemplate
from latentcomp.store.format.schema import ModelIdentity

from . import tiny

_BASE: dict[str, Any] = {
    "vocab_size": 1024,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 2048,
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
_SMALL: dict[str, Any] = {
    "vocab_size": 1024,
    "n_layer": 4,
    "n_head": 2,
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
READ: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", _BASE),
    "mixture of experts": ("Mixtral", _BASE | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "learned positions": ("GPT2", _SMALL | {"n_embd": 32}),
    "learned positions, shifted": ("OPT", _BASE | {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    "capped logits, scaled embeddings": ("Gemma2", _BASE | {"sliding_window": 4096}),
    "scaled logits": ("Cohere", _BASE),
    "divided logits": ("Granite", _BASE | {"logits_scaling": 8.0, "embedding_multiplier": 3.0}),
    "parallel blocks": ("GPTNeoX", _BASE),
    "rotary in part": ("GPTJ", _SMALL | {"n_embd": 32, "rotary_dim": 8}),
    "norms behind": ("Olmo2", _BASE),
}
"""What it has of its own -> family and config; read as the library reads them."""
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "window": ("Mistral", _BASE | {"sliding_window": 64}),
    "alternating windows": ("Gemma3", _BASE | {"sliding_window": 32}),
    "state space": ("Mamba", {k: _BASE[k] for k in ("vocab_size", "hidden_size")}
                    | {"num_hidden_layers": 4, "initializer_range": 0.2}),
    "alibi": ("Mpt", {"vocab_size": 1024, "d_model": 32, "n_layers": 4, "n_heads": 2}),
    "alibi from a mask": ("Bloom", _SMALL | {"hidden_size": 32}),
}  # fmt: skip
"""The same, of those that would answer otherwise without a word."""


def reasoner(family: str, config: dict[str, Any]) -> CausalLM:
    """A model of a family of transformers, with the tokenizer and prompt of the lab."""
    configs = (f"{family}TextConfig", f"{family}Config")
    names = (f"{family}ForCausalLM", f"{family}LMHeadModel")
    make = next(getattr(transformers, one) for one in configs if hasattr(transformers, one))
    kind = next(getattr(transformers, one) for one in names if hasattr(transformers, one))
    torch.manual_seed(0)
    model = kind(make(**config)).eval().requires_grad_(False)
    identity = ModelIdentity(
        name=f"tiny {family}",
        revision=None,
        architecture=kind.__name__,
        blocks=4,
        hidden_size=32,
        weights_sha256=f"{family}/{sorted(config.items())}",
        tokenizer_sha256="0" * 64,
    )
    return CausalLM(tiny.tokenizer(), identity, PromptTemplate(**tiny.PROMPT), 2048, model)
