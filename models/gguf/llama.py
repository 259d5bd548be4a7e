"""The Llama layout: which tensors a file must have, in which shapes, and what its config is.

A GGUF file keeps the rows of queries and keys in the order of another kind of rotation; here they
get the order that transformers rotates (`_rotated_by_halves`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ...common.errors import TeacherError
from .reading import Floats, GgufFile

ARCHITECTURE: Final = "llama"
_CLASS: Final = "LlamaForCausalLM"
_OUTPUT: Final = "output.weight"


@dataclass(frozen=True, slots=True)
class Expected:
    """A tensor of the file that the model needs."""

    gguf: str
    """Its name in the file."""
    shape: tuple[int, ...]
    """As torch has it: rows first."""
    heads: int = 0
    """Heads whose rows are reordered; 0 where none are."""


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """The numbers that decide a model of this layout."""

    blocks: int
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    """Numbers of one head."""
    vocabulary: int
    context: int
    norm_epsilon: float
    rope_base: float
    tied: bool
    """Whether the output embeddings are the input embeddings."""

    def tensors(self) -> Mapping[str, Expected]:
        """Name in transformers -> what the file must have for it."""
        d, f = self.hidden, self.inner
        q, kv = self.heads * self.head, self.kv_heads * self.head
        tensors = {
            "model.embed_tokens.weight": Expected("token_embd.weight", (self.vocabulary, d)),
            "model.norm.weight": Expected("output_norm.weight", (d,)),
        }
        if not self.tied:
            tensors["lm_head.weight"] = Expected(_OUTPUT, (self.vocabulary, d))
        for number in range(self.blocks):
            here = {
                "input_layernorm": ("attn_norm", (d,), 0),
                "self_attn.q_proj": ("attn_q", (q, d), self.heads),
                "self_attn.k_proj": ("attn_k", (kv, d), self.kv_heads),
                "self_attn.v_proj": ("attn_v", (kv, d), 0),
                "self_attn.o_proj": ("attn_output", (d, q), 0),
                "post_attention_layernorm": ("ffn_norm", (d,), 0),
                "mlp.gate_proj": ("ffn_gate", (f, d), 0),
                "mlp.up_proj": ("ffn_up", (f, d), 0),
                "mlp.down_proj": ("ffn_down", (d, f), 0),
            }
            for name, (gguf, shape, heads) in here.items():
                expected = Expected(f"blk.{number}.{gguf}.weight", shape, heads)
                tensors[f"model.layers.{number}.{name}.weight"] = expected
        return tensors

    def config(self) -> dict[str, Any]:
        """The config.json of the same model, but for its special tokens."""
        return {
            "architectures": [_CLASS],
            "model_type": "llama",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "dtype": "float32",
            "head_dim": self.head,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "intermediate_size": self.inner,
            "max_position_embeddings": self.context,
            "mlp_bias": False,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.blocks,
            "num_key_value_heads": self.kv_heads,
            "rms_norm_eps": self.norm_epsilon,
            "rope_parameters": {"rope_theta": self.rope_base, "rope_type": "default"},
            "tie_word_embeddings": self.tied,
            "use_cache": True,
            "vocab_size": self.vocabulary,
        }


def shape_of(file: GgufFile) -> LlamaShape:
    """What the file says of its model, checked against the tensors that it has.

    Raises:
        TeacherError: another architecture or a variant of this one, or a tensor is missing, of
            another shape or one that the layout does not know.
    """
    architecture = file.fields.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise TeacherError(
            f"{file.path}: its architecture is {architecture!r}, and only {ARCHITECTURE!r} is "
            "converted here; give a folder of transformers with the same model"
        )
    hidden = file.count("llama.embedding_length")
    heads = file.count("llama.attention.head_count")
    shape = LlamaShape(
        blocks=file.count("llama.block_count"),
        hidden=hidden,
        inner=file.count("llama.feed_forward_length"),
        heads=heads,
        kv_heads=file.count("llama.attention.head_count_kv", heads),
        head=file.count("llama.attention.key_length", max(1, hidden // heads)),
        vocabulary=len(tokens_of(file)),
        context=file.count("llama.context_length"),
        norm_epsilon=_short(file.number("llama.attention.layer_norm_rms_epsilon")),
        rope_base=_short(file.number("llama.rope.freq_base", 10000.0)),
        tied=_OUTPUT not in file.tensors,
    )
    _refuse_variants(file, shape)
    _check_tensors(file, shape)
    return shape


def tokens_of(file: GgufFile) -> list[str]:
    """The tokens of a file's own tokenizer, in the order of their ids.

    Raises:
        TeacherError: it has none.
    """
    tokens = file.fields.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens:
        raise TeacherError(f"{file.path} holds no tokenizer; get a file of the model that has one")
    return tokens


def weights_of(file: GgufFile, expected: Expected) -> Floats:
    """The numbers of a tensor as transformers has them, float32.

    Raises:
        TeacherError: its quantisation is not known here.
    """
    values = file.values(expected.gguf).reshape(expected.shape)
    return _rotated_by_halves(values, expected.heads) if expected.heads else values


def _rotated_by_halves(rows: Floats, heads: int) -> Floats:
    """Of each head the rows 0, 2, 4 ... and then 1, 3, 5 ...: pairs that are rotated together
    lie side by side in the file, and half a head apart in transformers."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(rows.shape)


def _refuse_variants(file: GgufFile, shape: LlamaShape) -> None:
    """Settings that change what the model computes and that no test here has seen."""
    fields = file.fields
    odd = {
        "llama.expert_count": fields.get("llama.expert_count", 0) != 0,
        "llama.rope.scaling.type": fields.get("llama.rope.scaling.type", "none") != "none",
        "llama.rope.dimension_count": fields.get("llama.rope.dimension_count", shape.head)
        != shape.head,
        "llama.attention.value_length": fields.get("llama.attention.value_length", shape.head)
        != shape.head,
        "llama.attention.sliding_window": bool(fields.get("llama.attention.sliding_window")),
        "llama.attention.head_count": shape.heads % shape.kv_heads != 0 or shape.head % 2 != 0,
    }
    for key, is_odd in odd.items():
        if is_odd:
            raise TeacherError(
                f"{file.path}: {key} is {fields.get(key)!r}, a variant of the layout that is not "
                "converted here; give a folder of transformers with the same model"
            )


def _check_tensors(file: GgufFile, shape: LlamaShape) -> None:
    wanted = {expected.gguf: expected for expected in shape.tensors().values()}
    for name, expected in wanted.items():
        if name not in file.tensors:
            raise TeacherError(f"{file.path}: tensor {name} is missing; get the file again")
        actual = tuple(int(size) for size in reversed(file.tensors[name].shape))
        if actual != expected.shape:
            raise TeacherError(
                f"{file.path}: tensor {name} has shape {actual}, and {expected.shape} follows from "
                "the file's own numbers; get the file again"
            )
    if unknown := sorted(file.tensors.keys() - wanted.keys()):
        raise TeacherError(
            f"{file.path}: {len(unknown)} tensors are none of the Llama layout (first: "
            f"{unknown[0]}); give a folder of transformers with the same model"
        )


def _short(value: float) -> float:
    """The shortest decimal number that is this float32: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))
