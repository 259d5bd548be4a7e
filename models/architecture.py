"""Dimensions of a model's architecture from its config.json, without loading weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from ..common.errors import TeacherError
from .files import ModelFiles, one_line, read_config
from .local import find_local

_PRESETS = Path(__file__).resolve().parent / "architectures"
PRESETS: Final = tuple(sorted(folder.name for folder in _PRESETS.iterdir() if folder.is_dir()))

# Names of the same number in different model families.
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_EXPERT_WIDTH = ("moe_intermediate_size", "intermediate_size")
_MLP_WIDTH = ("intermediate_size", "n_inner", "ffn_dim")


@dataclass(frozen=True, slots=True)
class Architecture:
    """The dimensions that memory depends on."""

    name: str
    family: str
    """`model_type` of the config."""
    parameters: int
    """All of them, shared ones once."""
    blocks: int
    hidden: int
    """Width of the residual stream."""
    query: int
    """Heads times their size."""
    key: int
    """Key heads times their size; as wide as the values."""
    heads: int
    experts: int
    """Experts of a block; 0 in a dense model."""
    active: int
    """Experts that read each token; 0 in a dense model."""
    mlp: int
    """Inner width of the MLP, or of one expert."""
    vocabulary: int
    qk_norm: bool
    """Whether queries and keys are normed."""


def load_architecture(name: str) -> Architecture | None:
    """Architecture of a preset, a folder with a config.json, or a hub id; None if not local.

    Raises:
        TeacherError: config.json is damaged or of an architecture that transformers lacks.
    """
    if name in PRESETS:
        files = ModelFiles(name=name, folder=_PRESETS / name, revision=None)
    else:
        local = find_local(name, "config.json")
        if local is None:
            return None
        files = local
    return describe(files.name, read_config(files))


def describe(name: str, config: Any) -> Architecture:  # noqa: ANN401  any family's config
    """The numbers of a transformers config.

    Raises:
        TeacherError: it is no causal language model with attention.
    """
    text = config.get_text_config()
    try:
        heads = int(text.num_attention_heads)
        head = int(getattr(text, "head_dim", None) or text.hidden_size // heads)
        key_heads = int(getattr(text, "num_key_value_heads", None) or heads)
        experts = int(_first(text, _EXPERTS) or 0)
        return Architecture(
            name=name,
            family=str(config.model_type),
            parameters=_count_parameters(config),
            blocks=int(text.num_hidden_layers),
            hidden=int(text.hidden_size),
            query=heads * head,
            key=key_heads * head,
            heads=heads,
            experts=experts,
            active=int(text.num_experts_per_tok) if experts else 0,
            mlp=int(_first(text, _EXPERT_WIDTH if experts else _MLP_WIDTH) or 4 * text.hidden_size),
            vocabulary=int(text.vocab_size),
            qk_norm=str(config.model_type).startswith("qwen3"),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise TeacherError(
            f"model {name!r}: config.json is not that of a causal language model "
            f"({one_line(error)}); give another --architecture"
        ) from error


def _count_parameters(config: Any) -> int:  # noqa: ANN401
    """Exact, for any family: the model is built on the meta device, where tensors have a shape
    and no memory."""
    from transformers import AutoModelForCausalLM

    make: Any = AutoModelForCausalLM.from_config
    with torch.device("meta"):
        model = make(config)
    return sum(parameter.numel() for parameter in model.parameters())


def _first(config: Any, names: tuple[str, ...]) -> Any:  # noqa: ANN401
    return next((value for name in names if (value := getattr(config, name, None))), None)
