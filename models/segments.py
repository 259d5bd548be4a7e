"""Attention mask for several questions packed after one context, isolated from each other.

Used by the training of the lab models and by the frozen reasoner when a compressor is trained.

Shapes: B = sequences, T = tokens of a sequence.
"""

from typing import Final

import torch
from torch import Tensor

CONTEXT: Final = 0
"""Segment of the common prefix that all attend to: a document, a summary or latents."""
PADDING: Final = -1


def attention_mask(segment: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive mask [B, 1, T, T]: causal, within one's own segment and the context.

    Args:
        segment: int64 [B, T]: `CONTEXT`, then 1, 2, ... for the questions, `PADDING` anywhere.
            Padding attends to itself alone, which keeps its softmax finite.
        dtype: of the mask, that of the attention's queries.
    """
    query, key = segment[:, :, None], segment[:, None, :]
    steps = torch.arange(segment.shape[1], device=segment.device)
    causal = steps[:, None] >= steps[None, :]
    seen = causal & ((key == CONTEXT) | (key == query)) & (query != PADDING)
    seen |= torch.eye(len(steps), dtype=torch.bool, device=segment.device)
    mask = torch.zeros(seen.shape, dtype=dtype, device=segment.device)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]
