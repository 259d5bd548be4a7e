"""One batch of training, whatever its documents come from.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width.
"""

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


def collate(
    examples: Sequence[Example],
    positions: int,
    rng: Random,
    length: int | None = None,
    *,
    pinned: bool = False,
) -> Batch:
    """Pad documents to one length and pack their questions into `positions` places.

    Args:
        examples: the documents.
        positions: question tokens behind each document.
        rng: picks the questions where not all fit.
        length: padded length in tokens; the next multiple of `LENGTH_STEP` when None.
        pinned: put the states into pinned memory at once, which saves copying them again.
    """
    found = [example.features for example in examples]
    longest = max(len(features.token_ids) for features in found)
    if length is None:
        length = -(-longest // LENGTH_STEP) * LENGTH_STEP
    states = States(
        h_BTLD=_padded([features.states for features in found], length, pinned=pinned),
        mask_BT=_padded([torch.ones(len(f.token_ids), dtype=torch.bool) for f in found], length),
        chunk_BT=_padded([features.chunk_index for features in found], length),
        bucket_BT=_padded([features.bucket for features in found], length),
        day_BT=_padded([features.day for features in found], length),
    )
    token_ids_BT = _padded([features.token_ids for features in found], length)
    packed = pack([example.questions for example in examples], positions, rng)
    return Batch(states, token_ids_BT, packed)


def _padded(rows: Sequence[Tensor], length: int, *, pinned: bool = False) -> Tensor:
    shape = (len(rows), length, *rows[0].shape[1:])
    out = torch.empty(shape, dtype=rows[0].dtype, pin_memory=pinned)
    for number, row in enumerate(rows):
        out[number, : len(row)] = row
        out[number, len(row) :] = 0
    return out
