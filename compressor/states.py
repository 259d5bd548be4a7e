"""Teacher states of a batch of documents, padded to one length.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

from ..common.errors import CorpusError
from ..store.read.features import DocumentFeatures

DAY_DIGITS: Final = 5
LENGTH_STEP = 64
"""Lengths are padded to multiples of this many tokens, so that few shapes occur."""


@dataclass(frozen=True, slots=True)
class States:
    """Teacher states of a batch of documents, as the compressor takes them."""

    h_BTLD: Tensor
    mask_BT: Tensor
    """bool: a token, not padding."""
    chunk_BT: Tensor
    """int64: index of the chunk, 0 for padding."""
    bucket_BT: Tensor
    """int64: 0 early, 1 middle, 2 late."""
    day_BT: Tensor
    """int64: day of the chunk, -1 where the source has none."""

    @property
    def tokens_B(self) -> Tensor:
        """int64: tokens of each document."""
        return self.mask_BT.sum(1)

    def to(self, device: torch.device) -> "States":
        """The same states on a device."""
        return self._each(lambda part: part.to(device))

    def rows(self, index: Tensor) -> "States":
        """The states of some of the documents, in that order."""
        return self._each(lambda part: part[index])

    def of_others(self) -> "States":
        """In the place of each document the one before it in the batch, days and all."""
        return self._each(lambda part: part.roll(1, 0))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "States":
        return States(*(change(getattr(self, part.name)) for part in fields(self)))


def padded_length(tokens: int) -> int:
    """The next multiple of `LENGTH_STEP`."""
    return -(-tokens // LENGTH_STEP) * LENGTH_STEP


def pad_states(features: Sequence[DocumentFeatures], length: int | None = None) -> States:
    """Pad the states of several documents to one length.

    Args:
        features: the documents, states included.
        length: padded length in tokens; the next multiple of `LENGTH_STEP` when None.

    Raises:
        CorpusError: a day that the compressor cannot be told.
    """
    for one in features:
        check_days(one)
    if length is None:
        length = padded_length(max(len(one.token_ids) for one in features))
    tokens_B = torch.tensor([len(one.token_ids) for one in features])
    mask_BT = torch.arange(length) < tokens_B[:, None]
    return States(
        h_BTLD=_pad_rows([one.states for one in features], length),
        mask_BT=mask_BT,
        chunk_BT=scatter_rows(mask_BT, [one.chunk_index for one in features]),
        bucket_BT=scatter_rows(mask_BT, [one.bucket for one in features]),
        day_BT=scatter_rows(mask_BT, [one.day for one in features]),
    )


def check_days(one: DocumentFeatures) -> None:
    """Check that the days of a document have at most `DAY_DIGITS` digits, and no sign.

    A compressor is told the digits: of another day it would be told those of one that it is not.
    -1 stands for a chunk without a day.

    Raises:
        CorpusError: one has not.
    """
    if not len(one.days):
        return
    least, most = int(one.days.min()), int(one.days.max())
    if least < -1 or most >= 10**DAY_DIGITS:
        raise CorpusError(
            f"document {one.document_id!r} has day {least if least < -1 else most}, and a "
            f"compressor is told days from 0 to {10**DAY_DIGITS - 1:,}: count days from another "
            "start, or write them as dates such as 2026-11-28, and extract into another --run"
        )


def scatter_rows(mask_BT: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """One row of integers for each document [B, T], 0 where `mask_BT` is false."""
    out = torch.zeros(mask_BT.shape, dtype=rows[0].dtype)
    return out.masked_scatter_(mask_BT, torch.cat(list(rows)))


def _pad_rows(rows: Sequence[Tensor], length: int) -> Tensor:
    out = torch.empty((len(rows), length, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for number, row in enumerate(rows):
        out[number, : len(row)] = row
        out[number, len(row) :] = 0
    return out
