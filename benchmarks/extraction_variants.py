"""Ways to run the forward pass of the extraction, as data, and the documents they read."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentcomp.extract.teachers.reading_mode import PADDED, ReadingMode

QWEN3_30B: dict[str, Any] = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "vocab_size": 151936,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "norm_topk_prob": True,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "max_position_embeddings": 40960,
    "rope_theta": 1000000.0,
    "rms_norm_eps": 1e-06,
    "hidden_act": "silu",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "tie_word_embeddings": False,
    "initializer_range": 0.02,
}
"""config.json of Qwen/Qwen3-30B-A3B as far as it shapes the computation."""

LENGTHS = ("2k", "mix", "8k", "32k")
_FIXED = {"2k": 2048, "8k": 8192, "32k": 32768}


def corpus_lengths(kind: str, tokens: float, seed: int) -> list[int]:
    """Lengths of documents, at least so many tokens in all: fixed, or for `mix` log-uniform from
    2k to 32k, as the qwen3-30b preset of the corpus draws its chunks."""
    noise = np.random.default_rng(seed)
    lengths: list[int] = []
    while sum(lengths) < tokens:
        drawn = round(float(np.exp(noise.uniform(np.log(2048), np.log(32768)))))
        lengths.append(_FIXED.get(kind, drawn))
    return lengths


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to read."""

    name: str
    reading: ReadingMode
    batch_tokens: int
    experts: str = "grouped_mm"
    """Of transformers' registry."""
    lengths: str = "2k"
    early: bool = False
    """Tried before the extraction itself, which uses the fastest of these."""
    limit: float = 60.0
    """Seconds that it may take."""


FLASH = ReadingMode(packed=True, kernel="flash")
EACH = ReadingMode(packed=True, kernel="each")
COMPILED = ReadingMode(packed=True, kernel="flash", compiled=True)
TIMED = ReadingMode(packed=True, kernel="flash", compiled=True, deterministic=False)

VARIANTS = (
    Variant("padded, plain", PADDED, 16_384, early=True),
    Variant("packed 32k, plain", FLASH, 32_768, early=True),
    Variant("packed 16k, compiled", COMPILED, 16_384),
    Variant("packed 32k, compiled", COMPILED, 32_768, early=True),
    Variant("packed 64k, compiled", COMPILED, 65_536, early=True),
    Variant("packed 32k, compiled, kernels timed", TIMED, 32_768, early=True),
    Variant("packed 32k, compiled, mix", COMPILED, 32_768, lengths="mix"),
    Variant("packed 32k, compiled, 8k", COMPILED, 32_768, lengths="8k"),
    Variant("packed 32k, compiled, 32k", COMPILED, 32_768, lengths="32k"),
    Variant("packed 32k, each document", EACH, 32_768),
    Variant("packed 8k, batched_mm", FLASH, 8_192, experts="batched_mm"),
    Variant("packed 32k, eager experts", FLASH, 32_768, experts="eager"),
)
"""What was tried and rejected (experts of our own, cuDNN attention, rows of one static length, a
CUDA graph of the whole pass) is in docs/results/extract_30b.json and
docs/LOG-engineering.md."""
