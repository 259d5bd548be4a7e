"""Shapes of the lab teacher and the lab student: Qwen3, as deep as the 30B, much thinner."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

VOCABULARY: Final = 1408
END_ID: Final = 0
"""Id of `<|endoftext|>`: head of every document, end of every answer, padding."""


@dataclass(frozen=True, slots=True)
class LabModel:
    """Shape of one lab model."""

    name: str
    blocks: int
    hidden: int
    heads: int
    """Of queries; all of them share one head of keys and values for every `queries_per_key`."""
    feed_forward: int
    head_width: int = 64
    queries_per_key: int = 2


# 48 blocks, so that -6, -18 and -30 are the states after 43, 31 and 19 blocks, as on the 30B.
TEACHER: Final = LabModel("lab", blocks=48, hidden=128, heads=4, feed_forward=384)
STUDENT: Final = LabModel("lab-student", blocks=12, hidden=128, heads=4, feed_forward=320)
LAB_MODELS: Final[dict[str, LabModel]] = {"teacher": TEACHER, "student": STUDENT}


@dataclass(frozen=True, slots=True)
class Start:
    """Sizes of the fresh weights."""

    embedding: float = 0.1
    """Standard deviation of the embeddings, which are the output weights too."""
    residual: float | None = None
    """Standard deviation of what writes into the residual stream; None: `WEIGHT` / sqrt(2 blocks),
    as GPT-2 has it, so that the sum of all blocks starts no larger than one."""


WEIGHT: Final = 0.02
"""Standard deviation of every other matrix."""


def build(shape: LabModel, start: Start = Start()) -> Qwen3ForCausalLM:
    """A model of that shape with fresh random weights, float32."""
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.blocks,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads // shape.queries_per_key,
        head_dim=shape.head_width,
        max_position_embeddings=8192,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        bos_token_id=END_ID,
        eos_token_id=END_ID,
        # None, though the tokenizer pads with the end token: a padding row of the embedding is
        # held at zero, and a zero vector at the head of every document makes the gradient
        # overflow on its way through the norms of 48 blocks (see docs/LOG.md).
        pad_token_id=None,
        initializer_range=WEIGHT,
        use_cache=True,
    )
    model = Qwen3ForCausalLM(config)  # type: ignore[no-untyped-call]
    _resize(model, start, shape.blocks)
    return model


def _resize(model: Qwen3ForCausalLM, start: Start, blocks: int) -> None:
    """Let a token stand out from what the blocks add to it, at every depth, from the start.

    With equal sizes everywhere, 48 blocks add about fifteen times the embedding, and most of it
    is the same for all tokens; such a teacher never learned to copy a syllable (docs/LOG.md).
    """
    residual = WEIGHT / math.sqrt(2 * blocks) if start.residual is None else start.residual
    torch.nn.init.normal_(model.model.embed_tokens.weight, std=start.embedding)
    for block in model.model.layers:
        torch.nn.init.normal_(block.self_attn.o_proj.weight, std=residual)
        torch.nn.init.normal_(block.mlp.down_proj.weight, std=residual)
