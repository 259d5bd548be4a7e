"""What the extraction asks of a teacher, whatever engine runs it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch

from ...store.format.schema import LayerRecord, ModelIdentity


class Teacher(Protocol):
    """A frozen model that reads documents and shows its hidden states."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is; the store is tied to it."""
        ...

    def states(
        self, documents: Sequence[Sequence[int]], layers: Sequence[LayerRecord]
    ) -> list[torch.Tensor]:
        """Hidden states of a batch of documents, each read on its own from its first token.

        Args:
            documents: token ids of each document, at least one each; lengths may differ.
            layers: the places to read, in the order wanted.

        Returns:
            One tensor a document, [tokens, layers, hidden], on the CPU, in the precision
            that the teacher computed in.
        """
        ...


@runtime_checkable
class StreamingTeacher(Teacher, Protocol):
    """A teacher that works ahead: it computes the next batch while one is copied and used."""

    def stream(
        self, batches: Iterable[Sequence[Sequence[int]]], layers: Sequence[LayerRecord]
    ) -> Iterator[list[torch.Tensor]]:
        """What `states` gives for one batch after another, in order."""
        ...
