"""Packing of a context and several isolated questions into one training sequence.

Shapes: T = tokens of a sequence (padded), B = sequences of a batch, H = hints.

Every question is its own *segment*: it attends to the context and to itself, and its positions
continue from the end of the context. So each question is trained as it is used: alone, right
after the document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..models.segments import CONTEXT, PADDING
from .architecture import END_ID

NO_HINT: Final = -100
"""Value of `LessonBatch.hint` without a hint; `ignore_index` of torch's cross-entropy."""
HINTS: Final = 2
"""H. In a question: who is meant after its first hop, and after its last one. At the end of a
sentence: whom it is about, and what that comes to."""
FROM_MARK: Final = 4
"""Last tokens of a prompt, on which the hints of a question stand: question mark, line break,
`Answer`, colon."""

Arrays = dict[str, npt.NDArray[np.int64] | npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class LessonBatch:
    """Padded sequences."""

    ids: Tensor
    """int64 [B, T] token ids."""
    segment: Tensor
    """int64 [B, T]: 0 the context, 1.. the questions, -1 padding."""
    position: Tensor
    """int64 [B, T] for the rotary embedding."""
    weight: Tensor
    """float32 [B, T]: weight of predicting this token from the ones before it."""
    family: Tensor
    """int64 [B, T]: id of the question family on answer tokens, else -1."""
    hint: Tensor
    """int64 [B, H, T]: targets of the intermediate blocks at this token, else `NO_HINT`."""

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order of the fields."""
        return self.ids, self.segment, self.position, self.weight, self.family, self.hint

    def to(self, device: torch.device) -> "LessonBatch":
        """The same batch on a device."""
        return LessonBatch(*(tensor.to(device, non_blocking=True) for tensor in self.tensors()))

    def copy_from(self, other: "LessonBatch") -> None:
        """Take over the content of another batch of the same shape, in place."""
        for mine, theirs in zip(self.tensors(), other.tensors(), strict=True):
            mine.copy_(theirs, non_blocking=True)


@dataclass(frozen=True, slots=True)
class Piece:
    """One segment of a sequence."""

    ids: list[int]
    weights: list[float]
    family: int = -1
    hints: Sequence[Mapping[int, int]] = ()
    """H times: place in the piece -> token that is to be known there half-way."""


def pack(pieces: Sequence[Piece], length: int) -> Arrays:
    """One padded sequence: the context, which is cut to fit, then every piece that still fits."""
    ids = np.full(length, END_ID, np.int64)
    hint = np.full((HINTS, length), NO_HINT, np.int64)
    segment = np.full(length, PADDING, np.int64)
    position = np.zeros(length, np.int64)
    weight = np.zeros(length, np.float32)
    family = np.full(length, -1, np.int64)
    context = min(len(pieces[0].ids), length)
    at = 0
    for number, piece in enumerate(pieces):
        if number and at + len(piece.ids) > length:
            continue
        end = min(at + len(piece.ids), length)
        here = slice(at, end)
        ids[here] = piece.ids[: end - at]
        weight[here] = piece.weights[: end - at]
        segment[here] = number or CONTEXT
        position[here] = np.arange(end - at) + (context if number else 0)
        family[here] = np.where(weight[here] > 0, piece.family, -1)
        for row, known in enumerate(piece.hints):
            for place, token in known.items():
                if at + place < end:
                    hint[row, at + place] = token
        at = end
    return {
        "ids": ids,
        "segment": segment,
        "position": position,
        "weight": weight,
        "family": family,
        "hint": hint,
    }


def stacked(rows: Sequence[Arrays]) -> LessonBatch:
    """Sequences of one length as a batch."""
    return LessonBatch(*(torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]))
