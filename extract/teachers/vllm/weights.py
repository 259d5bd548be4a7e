"""vLLM weight loader that reads only the needed blocks and checks for missing values."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from vllm.model_executor.model_loader import register_model_loader
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader

from ....models.files import read_json

LOAD_FORMAT: Final = "latentcomp"
"""Name under which vLLM knows the loader."""

_PER_BLOCK: Final = ("layer_types", "no_rope_layers")
"""Entries of a config that hold one value a block."""
_BLOCK: Final = re.compile(r"(?:^|\.)layers\.(\d+)\.")


def cut_config(folder: Path, blocks: int) -> dict[str, Any]:
    """What to change in a model's config so that it ends after so many blocks.

    Raises:
        TeacherError: config.json cannot be read.
    """
    config = read_json(folder / "config.json")
    lists = {name: config[name][:blocks] for name in _PER_BLOCK if config.get(name)}
    return {"num_hidden_layers": blocks, **lists}


@register_model_loader(LOAD_FORMAT)
class CutLoader(DefaultModelLoader):  # type: ignore[misc]  # vLLM is not installed for mypy
    """Safetensors without the blocks that the truncated config lacks, because vLLM refuses
    surplus tensors. Missing values are an error, too."""

    def __init__(self, load_config: Any) -> None:  # noqa: ANN401
        super().__init__(replace(load_config, load_format="safetensors"))

    def load_weights(self, model: torch.nn.Module, model_config: Any) -> None:  # noqa: ANN401
        """Load, and see that every value of the model was in the checkpoint.

        vLLM keeps projections that belong together in one parameter and takes it for loaded
        when one part of it was: what is missing would be computed with whatever lay there.

        Raises:
            ValueError: a part of a parameter is missing; names it.
        """
        weights = {name: w for name, w in model.named_parameters() if w.is_floating_point()}
        for weight in weights.values():
            weight.data.fill_(math.nan)
        super().load_weights(model, model_config)
        for name, weight in weights.items():
            if weight.data.sum().isnan():
                raise ValueError(f"the checkpoint lacks a part of {name}")

    def get_all_weights(
        self,
        model_config: Any,  # noqa: ANN401
        model: torch.nn.Module,
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Every tensor of the checkpoint that the cut model has a place for."""
        blocks = model_config.hf_text_config.num_hidden_layers
        for name, tensor in super().get_all_weights(model_config, model):
            block = _BLOCK.search(name)
            if block is None or int(block[1]) < blocks:
                yield name, tensor
