"""One batch of training, whatever its documents come from.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from random import Random

import torch
from torch import Tensor

from ..compressor.perceiver import States
from ..reasoner.packing import EncodedQuestion, PackedQuestions, pack
from ..store.read.features import DocumentFeatures

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
        return Batch.of(part.to(device, non_blocking=ahead) for part in self.tensors())

    def used_on(self, stream: torch.cuda.Stream) -> None:
        """Tell the allocator of the device that this stream reads the batch."""
        for part in self.tensors():
            part.record_stream(stream)

    def tensors(self) -> Iterator[Tensor]:
        """All of it, in the order that `of` takes."""
        for record in (self.states, self.questions):
            yield from (getattr(record, part.name) for part in fields(record))
        yield self.token_ids_BT

    @classmethod
    def of(cls, tensors: Iterable[Tensor]) -> "Batch":
        """The batch of these tensors."""
        each = iter(tensors)
        states = States(*islice(each, len(fields(States))))
        questions = PackedQuestions(*islice(each, len(fields(PackedQuestions))))
        return cls(states, next(each), questions)


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
) -> Batch:
    """Pad documents to one length and pack their questions into `positions` places.

    Args:
        examples: the documents.
        positions: question tokens behind each document.
        rng: picks the questions where not all fit.
        length: padded length in tokens; the next multiple of `LENGTH_STEP` when None.
    """
    found = [example.features for example in examples]
    longest = max(len(features.token_ids) for features in found)
    if length is None:
        length = padded_length(longest)
    tokens_B = torch.tensor([len(features.token_ids) for features in found])
    mask_BT = torch.arange(length) < tokens_B[:, None]
    states = States(
        h_BTLD=_padded([features.states for features in found], length),
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


def _padded(rows: Sequence[Tensor], length: int) -> Tensor:
    out = torch.empty((len(rows), length, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for number, row in enumerate(rows):
        out[number, : len(row)] = row
        out[number, len(row) :] = 0
    return out
