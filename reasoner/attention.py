"""Where the reasoner looks: attention from answers to what stands for the document.

Attention kernels return no weights, so they are computed a second time from the states that enter
a block, for the context alone and at a few depths only. Gradients flow into the context.

Shapes: B = documents, C = context positions, S = question positions, T = C + S (padded), R =
width, H = heads, G = heads of keys, E = width of a head.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from ..common.errors import TeacherError

_NEEDED: Final = ("q_proj", "k_proj", "head_dim", "scaling")
"""Attributes of an attention module that can be looked into."""


@dataclass(frozen=True, slots=True)
class BlockInput:
    """What entered one block."""

    h_BTR: Tensor
    cos_BTE: Tensor
    sin_BTE: Tensor


def check_attention(blocks: nn.ModuleList, name: str) -> None:
    """Refuse a model whose attention cannot be recomputed.

    Raises:
        TeacherError: its blocks are not built as those of Llama and Qwen3 are; names what lacks.
    """
    attention = getattr(blocks[0], "self_attn", None)
    lacking = [each for each in _NEEDED if not hasattr(attention, each)]
    lacking += [] if hasattr(blocks[0], "input_layernorm") else ["input_layernorm"]
    if attention is None or lacking:
        raise TeacherError(
            f"model {name!r}: its attention cannot be looked into "
            f"({type(blocks[0]).__name__} has no {', '.join(lacking)}); leave out the objectives "
            "that need it, such as --set objectives.localization=null"
        )


@contextmanager
def entering(blocks: nn.ModuleList, depths: tuple[int, ...]) -> Iterator[dict[int, BlockInput]]:
    """Within it, a forward pass leaves in the dict what enters the block that ends at each depth.

    The hooks stand outside of compiled forwards.
    """
    inputs: dict[int, BlockInput] = {}

    def keep(depth: int) -> Any:  # noqa: ANN401 - torch's hook type is a union of callables
        def hook(_block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            h_BTR = args[0] if args else kwargs["hidden_states"]
            # Learned positions are in the states already, and no angles are handed on.
            angles = kwargs.get("position_embeddings") or (h_BTR.new_empty(0),) * 2
            inputs[depth] = BlockInput(h_BTR, *angles)

        return hook

    handles = [
        blocks[depth - 1].register_forward_pre_hook(keep(depth), with_kwargs=True)
        for depth in depths
    ]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()


def context_attention(
    block: nn.Module, entered: BlockInput, mask_BC: Tensor, answer_BS: Tensor
) -> Tensor:
    """Attention weights from the positions that predict answers to those of the context.

    The softmax is over the context alone: what a head spends on the question is left out.

    Args:
        block: Llama- or Qwen3-like (`check_attention`).
        entered: states and rotary angles of its input.
        mask_BC: bool, real positions of the context.
        answer_BS: bool, answer tokens behind the context.

    Returns:
        float32 [N, C], one row for each answer token, the mean over heads.
    """
    start, positions = mask_BC.shape[1], answer_BS.shape[1]
    attention: Any = block.self_attn
    normed = block.input_layernorm(entered.h_BTR[:, : start + positions])  # type: ignore[operator]
    before, context = slice(start - 1, start + positions - 1), slice(0, start)
    q_BSHE = _heads(attention, "q", normed[:, before])
    k_BCGE = _heads(attention, "k", normed[:, context])
    q_BSHE = _rotated(q_BSHE, entered, before)
    k_BCHE = _rotated(k_BCGE, entered, context).repeat_interleave(
        q_BSHE.shape[2] // k_BCGE.shape[2], 2
    )
    scores = torch.einsum("bshe,bche->bshc", q_BSHE.float(), k_BCHE.float()) * attention.scaling
    scores = scores.masked_fill(~mask_BC[:, None, None, :], torch.finfo(scores.dtype).min)
    weights_NC: Tensor = scores[answer_BS].softmax(-1).mean(1)
    return weights_NC


def _heads(attention: Any, kind: str, x_BSR: Tensor) -> Tensor:  # noqa: ANN401 - of transformers
    """Queries or keys [B, S, heads, E], normed where the model does so (Qwen3)."""
    projected: Tensor = getattr(attention, f"{kind}_proj")(x_BSR)
    split = projected.reshape(*projected.shape[:-1], -1, attention.head_dim)
    norm: nn.Module | None = getattr(attention, f"{kind}_norm", None)
    normed: Tensor = split if norm is None else norm(split)
    return normed


def _rotated(x_BSHE: Tensor, entered: BlockInput, places: slice) -> Tensor:
    """Rotary positions as transformers has them: the halves of a head are one pair."""
    cos, sin = entered.cos_BTE[:, places, None], entered.sin_BTE[:, places, None]
    left, right = x_BSHE.chunk(2, -1)
    return x_BSHE * cos + torch.cat([-right, left], -1) * sin
