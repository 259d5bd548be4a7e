"""Tiny random models with a real tokenizer, saved like any checkpoint; shared by these tests."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

TEXT = "On day 3, Ana Bel moved to Corvo. The code of the blue box is 4711; it was 0815 before."


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of about 300 entries with <|endoftext|> as start and end."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT] * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )


def tiny_qwen3(blocks: int, hidden: int = 32, seed: int = 0) -> Qwen3ForCausalLM:
    """A dense Qwen3 with random weights, spread enough that every block changes the state."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=320,
        hidden_size=hidden,
        intermediate_size=48,
        num_hidden_layers=blocks,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=4096,
        initializer_range=0.2,
    )
    model = Qwen3ForCausalLM(config)
    model.eval()
    return model


def tiny_qwen3_moe(blocks: int = 4) -> Qwen3MoeForCausalLM:
    """A Qwen3 mixture of experts with random weights."""
    torch.manual_seed(0)
    config = Qwen3MoeConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=48,
        moe_intermediate_size=16,
        num_experts=8,
        num_experts_per_tok=2,
        num_hidden_layers=blocks,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        initializer_range=0.2,
    )
    model = Qwen3MoeForCausalLM(config)
    model.eval()
    return model


def save(model: PreTrainedModel, folder: Path, shard_size: str = "5GB") -> Path:
    """Write a model and the tiny tokenizer as a checkpoint folder."""
    model.save_pretrained(folder, max_shard_size=shard_size)
    tiny_tokenizer().save_pretrained(folder)
    return folder
