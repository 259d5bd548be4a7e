"""One batch of training, whatever its documents come from.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from random import Random

import torch
from torch import Tensor

from ..compressor.states import States, pad_states, scatter_rows
from ..reasoner.packing import EncodedQuestion, PackedQuestions, pack
from ..store.read.features import DocumentFeatures


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
        return self.states.tokens_B

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
    features = [example.features for example in examples]
    states = pad_states(features, length)
    token_ids_BT = scatter_rows(states.mask_BT, [one.token_ids for one in features])
    packed = pack([example.questions for example in examples], positions, rng)
    return Batch(states, token_ids_BT, packed)
