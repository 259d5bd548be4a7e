"""A row of `tiny_models.py` as a checkpoint on the disk, with a tokenizer of 300 tokens."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from .tiny_models import TinyModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TEXT = "On day 3, Ana Bel moved to Corvo. The code of the blue box is 4711; it was 0815 before."


def save_tiny(model: TinyModel, folder: Path, seed: int = 0) -> Path:
    """Make a model with random weights and save it as any checkpoint; returns the folder."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    config: Any = AutoConfig.for_model(model.model_type, **model.config)
    make: Any = AutoModelForCausalLM.from_config
    make(config).eval().save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def byte_tokenizer() -> "PreTrainedTokenizerFast":
    """A byte-level tokenizer with <|endoftext|> as start and end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

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
    make: Any = PreTrainedTokenizerFast  # without types
    return cast(
        "PreTrainedTokenizerFast",
        make(tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"),
    )
