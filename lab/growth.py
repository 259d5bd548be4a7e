"""Growing a model in depth: a shallow one learns fast, a deep one goes on from where it was.

New blocks start as the identity, as what they write into the residual stream is zero; so the deep
model computes what the shallow one did, and learns from there (function-preserving growth, as in
arXiv 1511.05641; depth as in arXiv 2405.15319).
"""

import re
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..common.errors import LatentcompError

_BLOCK: Final = re.compile(r"(model\.layers\.)(\d+)(\..*)")
_WRITES: Final = ("self_attn.o_proj.weight", "mlp.down_proj.weight")
"""What a block adds to the residual stream goes through these."""


def load_grown(model: nn.Module, folder: Path) -> None:
    """Load the weights of an earlier stage, of as many blocks or of a whole fraction of them.

    Block i of n goes where it ends at the same share of the depth: as the last of its N / n.

    Args:
        model: of N blocks, with fresh weights.
        folder: a checkpoint of n blocks, of the same shape otherwise.

    Raises:
        LatentcompError: there are no weights, N is no multiple of n, or a tensor has another shape.
    """
    weights = _weights(folder)
    blocks = 1 + max(int(match[2]) for name in weights if (match := _BLOCK.fullmatch(name)))
    deep = len(model.model.layers)  # type: ignore[union-attr, arg-type]
    if deep % blocks:
        raise LatentcompError(
            f"{folder}: its {blocks} blocks cannot be spread evenly over {deep}; "
            f"train a multiple of {blocks} blocks"
        )
    grown = model.state_dict()
    if deep != blocks:
        grown |= {n: torch.zeros_like(w) for n, w in grown.items() if n.endswith(_WRITES)}
    for name, weight in weights.items():
        place = _moved(name, deep // blocks)
        if place not in grown or grown[place].shape != weight.shape:
            wanted = list(grown[place].shape) if place in grown else "no such tensor"
            raise LatentcompError(
                f"{folder}: {name} is {list(weight.shape)}, the model has {wanted}; "
                "train a model of the same width, heads and feed-forward"
            )
        grown[place] = weight.float()
    grown["lm_head.weight"] = grown["model.embed_tokens.weight"]  # tied, and kept once
    model.load_state_dict(grown)


def _weights(folder: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        weights |= load_file(file)
    if not any(_BLOCK.fullmatch(name) for name in weights):
        raise LatentcompError(
            f"{folder}: no safetensors weights of a lab model; give the folder of a finished stage"
        )
    return weights


def _moved(name: str, times: int) -> str:
    match = _BLOCK.fullmatch(name)
    return name if match is None else f"{match[1]}{(int(match[2]) + 1) * times - 1}{match[3]}"
