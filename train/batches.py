"""One training batch, and the protocol of every source of batches.

Shapes: B = documents, T = tokens (padded), L = layers, D = teacher width.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from random import Random
from typing import Protocol

import torch
from torch import Tensor

from ..compressor.states import States, pad_states, scatter_rows
from ..reasoner.packing import EncodedQuestion, PackedQuestions, pack
from ..store.read.features import DocumentFeatures


@dataclass(frozen=True, slots=True)
class Example:
    """A document with the questions to learn from."""

    features: DocumentFeatures
    questions: tuple[EncodedQuestion, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """The input of one training step."""

    states: States
    token_ids_BT: Tensor
    """int64: the tokens that the teacher read, for objectives that read the document."""
    questions: PackedQuestions
    document_B: Tensor
    """int64: `document_key` of each document, for objectives that know something of it."""

    @property
    def tokens_B(self) -> Tensor:
        """int64: number of tokens of each document."""
        return self.states.tokens_B

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        # To the CPU copies are synchronous: the caller reads the tensors at once.
        non_blocking = device.type != "cpu"
        return Batch.of(part.to(device, non_blocking=non_blocking) for part in self.tensors())

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor, in the order that `of` expects."""
        for record in (self.states, self.questions):
            yield from (getattr(record, part.name) for part in fields(record))
        yield self.token_ids_BT
        yield self.document_B

    @classmethod
    def of(cls, tensors: Iterable[Tensor]) -> "Batch":
        """Rebuild a batch from its `tensors`."""
        remaining = iter(tensors)
        states = States(*islice(remaining, len(fields(States))))
        questions = PackedQuestions(*islice(remaining, len(fields(PackedQuestions))))
        return cls(states, next(remaining), questions, next(remaining))


def document_key(document_id: str) -> int:
    """A document's id as a number, the same in every process: 63 bits of its SHA-256."""
    return int.from_bytes(hashlib.sha256(document_id.encode()).digest()[:8], "big") >> 1


class Batches(Protocol):
    """The batches of a training run, one a step, of this process.

    Batches and document ids are pure functions of the step and of what `describe` returns, so a
    checkpoint holds no data state. Requests in ascending order are fast; a source that prefetches
    accepts no other.
    """

    def at(self, step: int) -> Batch:
        """The batch of a step, on the CPU or on the device that trains."""
        ...

    def document_ids(self, step: int) -> tuple[str, ...]:
        """Ids of the documents of a step, in the order of its batch; for any step at any time."""
        ...

    def describe(self) -> Mapping[str, object]:
        """What determines the batches, for the record of the run."""
        ...

    def close(self) -> None:
        """Stop the threads and processes that prepare batches; more than once is harmless."""
        ...


def collate(
    examples: Sequence[Example],
    question_tokens: int,
    rng: Random,
    length: int | None = None,
) -> Batch:
    """Pad documents to one length and pack their questions into `question_tokens` tokens.

    Args:
        examples: the documents.
        question_tokens: tokens of questions behind each document.
        rng: picks the questions where not all fit.
        length: padded length in tokens; the next multiple of `LENGTH_STEP` when None.
    """
    features = [example.features for example in examples]
    states = pad_states(features, length)
    token_ids_BT = scatter_rows(states.mask_BT, [one.token_ids for one in features])
    packed = pack([example.questions for example in examples], question_tokens, rng)
    keys = [document_key(one.document_id) for one in features]
    return Batch(states, token_ids_BT, packed, torch.tensor(keys, dtype=torch.int64))
