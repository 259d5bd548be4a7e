"""One batch of training, whatever its documents come from.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from random import Random

import torch
from torch import Tensor

from ..store.reader import DocumentFeatures
from .compressor import States
from .packing import EncodedQuestion, PackedQuestions, pack

LENGTH_STEP = 64
"""Lengths are padded to multiples of this many tokens, so that few shapes occur."""


@dataclass(frozen=True, slots=True)
class Example:
    """A document as training needs it."""

    features: DocumentFeatures
    questions: tuple[EncodedQuestion, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step of training sees."""

    states: States
    token_ids_BT: Tensor
    """int64: tokens that the teacher read, for objectives that read the document too."""
    questions: PackedQuestions

    @property
    def tokens_B(self) -> Tensor:
        """int64: tokens of each document."""
        return self.states.mask_BT.sum(1)

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        # Only towards a GPU: what comes from one is read on the CPU, before a copy would be there.
        ahead = device.type != "cpu"
        return self._each(lambda part: part.to(device, non_blocking=ahead))

    def pin(self) -> "Batch":
        """The same batch in pinned memory, from which a GPU copies by itself."""
        return self._each(Tensor.pin_memory)

    def used_on(self, stream: torch.cuda.Stream) -> None:
        """Tell the allocator of the device that this stream reads the batch."""

        def tell(part: Tensor) -> Tensor:
            part.record_stream(stream)
            return part

        self._each(tell)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(
            States(*(change(getattr(self.states, part.name)) for part in fields(States))),
            change(self.token_ids_BT),
            PackedQuestions(
                *(change(getattr(self.questions, part.name)) for part in fields(PackedQuestions))
            ),
        )


@dataclass(frozen=True, slots=True)
class IndexedBatch:
    """A batch and where its documents are."""

    batch: Batch
    indices: tuple[int, ...]
    """Of the documents in the store, in the order of the batch."""


def padded_length(tokens: int) -> int:
    """The next multiple of `LENGTH_STEP`."""
    return -(-tokens // LENGTH_STEP) * LENGTH_STEP


def collate(
    examples: Sequence[Example],
    positions: int,
    rng: Random,
    length: int | None = None,
    *,
    pinned: bool = False,
    most: int | None = None,
) -> Batch:
    """Pad documents to one length and pack their questions into `positions` places.

    Args:
        examples: the documents.
        positions: question tokens behind each document.
        rng: picks the questions where not all fit.
        length: padded length in tokens; the next multiple of `LENGTH_STEP` when None.
        pinned: put the states into pinned memory at once, which saves copying them again.
        most: the longest padded length that any batch has, for memory that can be used again.
    """
    found = [example.features for example in examples]
    longest = max(len(features.token_ids) for features in found)
    if length is None:
        length = padded_length(longest)
    tokens_B = torch.tensor([len(features.token_ids) for features in found])
    mask_BT = torch.arange(length) < tokens_B[:, None]
    states = States(
        h_BTLD=_padded([features.states for features in found], length, most, pinned=pinned),
        mask_BT=mask_BT,
        chunk_BT=_laid(mask_BT, [features.chunk_index for features in found]),
        bucket_BT=_laid(mask_BT, [features.bucket for features in found]),
        day_BT=_laid(mask_BT, [features.day for features in found]),
    )
    token_ids_BT = _laid(mask_BT, [features.token_ids for features in found])
    packed = pack([example.questions for example in examples], positions, rng)
    return Batch(states, token_ids_BT, packed)


def _laid(mask_BT: Tensor, rows: Sequence[Tensor]) -> Tensor:
    """One row of integers for each document, 0 where `mask_BT` says padding."""
    out = torch.zeros(mask_BT.shape, dtype=rows[0].dtype)
    return out.masked_scatter_(mask_BT, torch.cat(list(rows)))


def _padded(rows: Sequence[Tensor], length: int, most: int | None, *, pinned: bool) -> Tensor:
    shape = (len(rows), length, *rows[0].shape[1:])
    size, room = math.prod(shape), math.prod((len(rows), most or length, *rows[0].shape[1:]))
    # Always of one size: pinned memory of a new size is taken from the system, and the device
    # stands still meanwhile; memory of a size that was there before is used again.
    room = torch.empty(max(size, room), dtype=rows[0].dtype, pin_memory=pinned)
    out = room[:size].view(shape)
    for number, row in enumerate(rows):
        out[number, : len(row)] = row
        out[number, len(row) :] = 0
    return out
