"""Causal attention that stays within each document of a packed row.

Registered with transformers as `latentcomp_<kernel>`. The bounds of the documents are passed
through the forward pass as the keyword arguments of `packed_arguments`; a pass without them is
refused, so a packed row can never be read as one long document.

Axis letters: T tokens of the row, H query heads, K key and value heads, C width of a head's query
and key, V that of its value.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch.nn import functional

from .packing import Packing

PREFIX = "latentcomp_"
_UNSUPPORTED = ("softcap", "s_aux", "position_bias", "sliding_window")
"""Arguments of other kinds of attention, which the kernels here would silently ignore."""


@dataclass(frozen=True, slots=True)
class Row:
    """Input of a kernel: one row of documents."""

    query: torch.Tensor
    """[T, H, C]"""
    key: torch.Tensor
    """[T, K, C]"""
    value: torch.Tensor
    """[T, K, V]; in latent attention narrower than the keys."""
    starts: torch.Tensor
    """Where each document begins and the last one ends, on the device; see `Packing`."""
    bounds: torch.Tensor
    """The same on the CPU."""
    scale: float
    """Factor of the products of queries and keys."""

    @property
    def longest(self) -> int:
        """Tokens of the longest document."""
        return int(self.bounds.diff().max())


Kernel = Callable[[Row], torch.Tensor]
"""From a row to the attention output [T, H, V]."""


def _each(row: Row) -> torch.Tensor:
    """One document at a time, bit-equal to each read alone: any device, any precision."""
    out = row.query.new_empty((*row.query.shape[:-1], row.value.shape[-1]))
    edges = row.bounds.tolist()
    gqa = row.query.shape[1] != row.key.shape[1]
    for start, stop in zip(edges, edges[1:], strict=False):
        if start == stop:
            continue
        part = [x[start:stop].transpose(0, 1)[None] for x in (row.query, row.key, row.value)]
        read = functional.scaled_dot_product_attention(
            part[0], part[1], part[2], is_causal=True, scale=row.scale, enable_gqa=gqa
        )
        out[start:stop] = read[0].transpose(0, 1)
    return out


def _flash(row: Row) -> torch.Tensor:
    """All documents in one FlashAttention kernel; CUDA, half precision, heads up to 256 wide.

    Calls the operator below torch.nn.attention.varlen, whose Python signature differs in each of
    torch 2.10 to 2.13; some of these versions refuse fewer key heads than query heads.
    """
    bounds = (row.starts, row.starts, *[row.longest] * 2)
    value, narrower = row.value, row.query.shape[-1] - row.value.shape[-1]
    if narrower:  # the kernel has one width: zeros on the right add zeros, nothing else
        value = functional.pad(value, (0, narrower))
    out = torch.ops.aten._flash_attention_forward(
        row.query, row.key, value, *bounds, 0.0, True, False, scale=row.scale
    )
    read = cast(torch.Tensor, out[0])
    return read[..., :-narrower].contiguous() if narrower else read


KERNELS: dict[str, Kernel] = {"each": _each, "flash": _flash}


@torch.library.custom_op("latentcomp::attend_within", mutates_args=())
def attend_within(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    starts: torch.Tensor,
    bounds: torch.Tensor,
    scale: float,
    kernel: str,
) -> torch.Tensor:
    """[T, H, V] from queries [T, H, C], keys [T, K, C], values [T, K, V]; opaque to a compiler."""
    return KERNELS[kernel](Row(query, key, value, starts, bounds, scale))


@attend_within.register_fake
def _shape(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: object) -> torch.Tensor:
    del key
    return query.new_empty((*query.shape[:-1], value.shape[-1]))


def packed_arguments(packing: Packing) -> dict[str, torch.Tensor]:
    """Keyword arguments of a forward pass, beside token ids and position ids."""
    return {"packed_starts": packing.starts, "packed_bounds": packing.bounds}


@contextmanager
def attending(config: Any, kernel: str) -> Iterator[None]:  # noqa: ANN401 - any model's config
    """Context in which the model of this config uses one of `KERNELS`; restored on exit."""
    before = config._attn_implementation
    config._attn_implementation = PREFIX + kernel
    try:
        yield
    finally:
        config._attn_implementation = before


def _interface(kernel: str) -> Callable[..., tuple[torch.Tensor, None]]:
    def attention(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        packed_starts: torch.Tensor | None = None,
        packed_bounds: torch.Tensor | None = None,
        **others: Any,  # noqa: ANN401 - each architecture passes its own
    ) -> tuple[torch.Tensor, None]:
        """Interface of transformers: [1, heads, T, C] in, [1, T, H, V] out."""
        if packed_starts is None or packed_bounds is None or attention_mask is not None:
            raise ValueError("packed attention needs the bounds of the documents, and no mask")
        if any(others.get(name) is not None for name in _UNSUPPORTED):
            raise ValueError(f"packed attention cannot do {', '.join(_UNSUPPORTED)}")
        q_THC, k_TKC, v_TKC = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
        scale = q_THC.shape[-1] ** -0.5 if scaling is None else scaling
        out = attend_within(q_THC, k_TKC, v_TKC, packed_starts, packed_bounds, scale, kernel)
        return out[None], None

    return attention


def register() -> None:
    """Register the kernels with transformers; idempotent."""
    from transformers import AttentionInterface

    for kernel in KERNELS:
        AttentionInterface.register(PREFIX + kernel, _interface(kernel))
