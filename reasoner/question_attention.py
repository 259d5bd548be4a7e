"""Attention of packed questions that computes only what is seen, for CPUs.

A dense mask over a document and its questions computes every pair: with 25 questions most of them
stand in two different questions and count for nothing. Here the tokens of a batch stand in one row
without padding; those of a question meet their document in one kernel and their own question in
another, and the two softmaxes are joined by their logarithms of sums, as FlashAttention joins its
tiles (Dao and others, 2022).

Axis letters: T tokens of the row, H query heads, G heads of keys, E width of a head, N questions,
A questions of one pass, L tokens of a question in one pass, C tokens of a question in all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, PreTrainedModel

NAME: Final = "latentcomp_questions"
"""Under which transformers knows it."""
FAMILIES: Final = frozenset(
    {"cohere", "granite", "llama", "mixtral", "olmo2", "qwen2", "qwen3", "qwen3_moe"}
)
"""Model types whose attention is a softmax over all that is before and nothing besides; each is
compared with its own forward in the tests."""
_FLASH: Final = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
"""Below the public function, which returns no logarithms of sums."""
_UNSUPPORTED: Final = ("softcap", "s_aux", "position_bias", "sliding_window")


@dataclass(slots=True)
class Keys:
    """Keys and values of one block: of every document, and of every question behind it."""

    contexts: list[tuple[Tensor, Tensor]]
    """Of each document [1, G, tokens, E] twice."""
    own: tuple[Tensor, Tensor]
    """Of all questions [N, C, G, E] twice, each filled from the left."""


@dataclass(slots=True)
class Pass:
    """One forward pass over a row of tokens, documents or questions."""

    bounds: list[int]
    """Where the tokens of each document begin in the row, and the last ones end."""
    keys: dict[int, Keys]
    """By block: written while documents are read, read while questions are."""
    own_shape: tuple[int, int]
    """N and C, of the keys of questions."""
    places: "Places | None" = None
    """Where the tokens stand within questions; None while documents are read."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where each token of a row of questions stands."""

    question_T: Tensor
    """int64: number of its question among all, 0 to N - 1."""
    offset_T: Tensor
    """int64: its index within its question."""
    rows_A: Tensor
    """int64: the questions that have tokens here, in order."""
    row_T: Tensor
    """int64: index of its question in `rows_A`."""
    column_T: Tensor
    """int64: its index among the tokens of its question in this pass."""
    mask_ALC: Tensor
    """Additive, of what the tokens of a question see in it."""

    @classmethod
    def of(cls, question_T: Tensor, offset_T: Tensor) -> "Places":
        """From the question of each token, none of which comes back later, and its index there."""
        rows_A, row_T, counts_A = torch.unique_consecutive(
            question_T, return_inverse=True, return_counts=True
        )
        starts_A = counts_A.cumsum(0) - counts_A
        column_T = torch.arange(len(row_T)) - starts_A[row_T]
        offset_AL = offset_T.new_zeros(len(rows_A), int(counts_A.max()))
        offset_AL[row_T, column_T] = offset_T
        hidden_ALC = torch.arange(int(offset_T.max()) + 1) > offset_AL[:, :, None]
        mask_ALC = torch.zeros(hidden_ALC.shape).masked_fill_(hidden_ALC, -torch.inf)
        return cls(question_T, offset_T, rows_A, row_T, column_T, mask_ALC)


def can_read(model: PreTrainedModel) -> bool:
    """Whether the attention of a model is one that these kernels compute, and where they run."""
    config: Any = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    return (
        model.device.type == "cpu"
        and model.dtype == torch.float32
        and config.model_type in FAMILIES
        and model.config._attn_implementation == "sdpa"
        and kinds <= {"full_attention"}
        and getattr(config, "sliding_window", None) is None
    )


@contextmanager
def attending(model: PreTrainedModel) -> Iterator[None]:
    """Context in which a model that `can_read` reads rows; its forward takes `row_pass`."""
    AttentionInterface.register(NAME, _attention)
    config: Any = model.config
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    row_pass: Pass | None = None,
    **others: Any,  # noqa: ANN401 - each architecture passes its own
) -> tuple[Tensor, None]:
    """Interface of transformers: [1, heads, T, E] in, [1, T, H, E] out."""
    if row_pass is None or attention_mask is not None:
        raise ValueError("a row of questions is read with its places, and without a mask")
    if any(others.get(name) is not None for name in _UNSUPPORTED):
        raise ValueError(f"this attention cannot do {', '.join(_UNSUPPORTED)}")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    block: int = module.layer_idx  # type: ignore[assignment]
    if row_pass.places is None:
        out_HTE, row_pass.keys[block] = _documents(query, key, value, row_pass, scale)
    else:
        out_HTE = _questions(query, key, value, row_pass, row_pass.keys[block], scale)
    return out_HTE.transpose(0, 1)[None], None


def _documents(
    query: Tensor, key: Tensor, value: Tensor, row: Pass, scale: float
) -> tuple[Tensor, Keys]:
    """Every document by itself [H, T, E], and the keys and values that questions will see."""
    kept, parts = [], []
    for start, stop in pairwise(row.bounds):
        k, v = (each[:, :, start:stop].contiguous() for each in (key, value))
        part = functional.scaled_dot_product_attention(
            query[:, :, start:stop], k, v, is_causal=True, scale=scale, enable_gqa=True
        )
        parts.append(part[0])
        kept.append((k, v))
    shape = (*row.own_shape, key.shape[1], key.shape[3])
    return torch.cat(parts, 1), Keys(kept, (key.new_zeros(shape), key.new_zeros(shape)))


def _questions(
    query: Tensor, key: Tensor, value: Tensor, row: Pass, keys: Keys, scale: float
) -> Tensor:
    """Tokens of questions [H, T, E]: to their documents, and to what is before in their own."""
    assert row.places is not None
    at = (row.places.question_T, row.places.offset_T)
    for kept, new in zip(keys.own, (key, value), strict=True):
        kept[at] = new[0].transpose(0, 1)
    # The query heads of a group of keys stand side by side, so no key is copied for them.
    q_GRTE = query[0].reshape(key.shape[1], -1, *query.shape[2:])
    out_GRTE, log_GRT = _to_documents(q_GRTE, row.bounds, keys, scale)
    own_GRTE, own_GRT = _to_own(q_GRTE, row.places, keys.own, scale)
    share_GRT = torch.sigmoid(own_GRT - log_GRT)
    return out_GRTE.lerp(own_GRTE, share_GRT[..., None]).flatten(0, 1)


def _to_documents(
    q_GRTE: Tensor, bounds: list[int], keys: Keys, scale: float
) -> tuple[Tensor, Tensor]:
    """Attention to the document [G, R, T, E], and the logarithm of its sum [G, R, T]."""
    outs, logs = [], []
    for (start, stop), (k, v) in zip(pairwise(bounds), keys.contexts, strict=True):
        if start == stop:
            continue
        q_GRnE = q_GRTE[:, :, start:stop]
        out, log = _FLASH(q_GRnE.flatten(1, 2)[None], k, v, 0.0, False, scale=scale)
        outs.append(out[0].unflatten(1, q_GRnE.shape[1:3]))
        logs.append(log[0].unflatten(1, q_GRnE.shape[1:3]))
    return torch.cat(outs, 2), torch.cat(logs, 2)


def _to_own(
    q_GRTE: Tensor, places: Places, own: tuple[Tensor, Tensor], scale: float
) -> tuple[Tensor, Tensor]:
    """Attention within the question [G, R, T, E], and the logarithm of its sum [G, R, T]."""
    groups, repeats, _, width = q_GRTE.shape
    rows, length, used = places.mask_ALC.shape
    k_AGCE, v_AGCE = (each[places.rows_A, :used].transpose(1, 2) for each in own)
    q_TGRE = q_GRTE.permute(2, 0, 1, 3)
    if length == 1:
        q_ALGRE = q_TGRE[:, None]
    else:
        q_ALGRE = q_TGRE.new_zeros(rows, length, groups, repeats, width)
        q_ALGRE[places.row_T, places.column_T] = q_TGRE
    mask_AxC = places.mask_ALC.repeat_interleave(repeats, 1)
    out, log = _FLASH(
        q_ALGRE.transpose(1, 2).flatten(2, 3),
        k_AGCE,
        v_AGCE,
        0.0,
        False,
        attn_mask=mask_AxC[:, None],
        scale=scale,
    )
    at = (places.row_T, slice(None), places.column_T)
    out_TGRE = out.unflatten(2, (length, repeats))[at]
    log_TGR = log.unflatten(2, (length, repeats))[at]
    return out_TGRE.permute(1, 2, 0, 3), log_TGR.permute(1, 2, 0)
