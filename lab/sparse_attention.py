"""Attention over packed questions that computes only the blocks of the mask that are seen.

In a long sequence of a lab model's training fewer than a third of all pairs are seen: none to the
right, none between questions, none of padding. FlexAttention [Dong et al. 2024, 2412.05496] skips
the rest in blocks of 128 by 128; a dense mask computes them all. GPU only: on a CPU it has no
backward pass.

Shapes: B = sequences, T = tokens of a sequence, H = heads, G = heads of keys, E = head width.
"""

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from transformers import AttentionInterface, PreTrainedModel

from ..models.segments import CONTEXT, PADDING

NAME: Final = "latentcomp_sparse"
"""Under which transformers knows it."""


def use_sparse_attention(model: PreTrainedModel) -> None:
    """Let the blocks of a model take a `BlockMask`; it is not written into a saved config."""
    AttentionInterface.register(NAME, _attention)
    model.config._attn_implementation = NAME


def sparse_mask(segment: Tensor) -> BlockMask:
    """What `models.segments.attention_mask` lets be seen, in blocks.

    Args:
        segment: int64 [B, T], as there.
    """

    def seen(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        of_query, of_key = segment[row, query], segment[row, key]
        shared = (of_key == CONTEXT) | (of_key == of_query)
        return ((query >= key) & shared & (of_query != PADDING)) | (query == key)

    rows, tokens = segment.shape
    return create_block_mask(seen, rows, None, tokens, tokens, device=segment.device)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: BlockMask,
    scaling: float | None = None,
    **_unused: Any,  # noqa: ANN401 - of transformers: dropout and whatever a family adds
) -> tuple[Tensor, None]:
    """Queries [B, H, T, E], keys and values [B, G, T, E] to [B, T, H, E]."""
    kind = query.device.type
    # Norms of queries and keys return float32 under autocast, and this is no operation it knows.
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype
    out: Any = flex_attention(
        query.to(dtype),
        key.to(dtype),
        value.to(dtype),
        block_mask=attention_mask,
        scale=scaling,
        enable_gqa=True,
    )
    return out.transpose(1, 2).contiguous(), None
