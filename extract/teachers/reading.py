"""How a teacher reads: packed or padded, with which attention kernel, compiled or not."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

Compiled = Literal["no", "dynamic", "static"]

_WIDEST_HEAD = 256
"""What the FlashAttention kernels of torch take."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Every choice shows in the last bits of the states, so a store keeps to one."""

    packed: bool = False
    """Documents one behind the other in one row; else one a row, padded on the right."""
    kernel: str = "each"
    """Of `packed_attention.KERNELS`; unused where documents are padded."""
    compiled: Compiled = "no"
    """Blocks through torch.compile: `dynamic` for rows of any length, `static` for one length."""
    row_tokens: int | None = None
    """Length that rows are filled up to, for `static`."""

    def __str__(self) -> str:
        how = f"packed, {self.kernel} attention" if self.packed else "padded"
        return how if self.compiled == "no" else f"{how}, compiled ({self.compiled})"


PADDED = Reading()


def fast_reading(model: Any, dtype: torch.dtype, device: torch.device) -> Reading:  # noqa: ANN401
    """The fastest way that is right for this model: packed and compiled on a GPU in half
    precision where its attention can be exchanged, else padded."""
    if device.type != "cuda" or dtype == torch.float32 or not can_pack(model):
        return PADDED
    return Reading(packed=True, kernel="flash", compiled="dynamic")


def can_pack(model: Any) -> bool:  # noqa: ANN401 - any transformers model
    """True if every layer is plain causal attention that transformers lets us exchange.

    Windows, soft caps and linear attention are left to the padded way.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return (
        bool(getattr(model, "_supports_attention_backend", False))
        and kinds == {"full_attention"}
        and getattr(config, "sliding_window", None) is None
        and getattr(config, "attn_logit_softcapping", None) is None
        and width <= _WIDEST_HEAD
    )


def compile_blocks(blocks: nn.ModuleList, compiled: Compiled) -> None:
    """Let the forward of every block go through torch.compile: one graph serves all of them.

    The forward alone, not the call: hooks stay outside of the graph.
    """
    if compiled == "no":
        return
    for block in blocks:
        forward = torch.compile(block.forward, dynamic=compiled == "dynamic")
        block.forward = forward


def restore_blocks(blocks: nn.ModuleList) -> None:
    """Undo `compile_blocks`."""
    for block in blocks:
        block.__dict__.pop("forward", None)
