"""Interface of the teachers, independent of the engine."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch

from ...store.format.schema import LayerRecord, ModelIdentity


class Teacher(Protocol):
    """A frozen model that reads documents and returns its hidden states."""

    @property
    def identity(self) -> ModelIdentity:
        """Identity of the model; a store belongs to one."""
        ...

    def states(
        self, documents: Sequence[Sequence[int]], layers: Sequence[LayerRecord]
    ) -> list[torch.Tensor]:
        """Hidden states of a batch of documents, each read independently.

        Args:
            documents: token ids of each document, at least one each; lengths may differ.
            layers: to read, in the order of the result.

        Returns:
            One tensor a document, [tokens, layers, hidden], on the CPU, in the precision
            that the teacher computed in.
        """
        ...


@runtime_checkable
class StreamingTeacher(Teacher, Protocol):
    """A teacher that computes the next batch while one is copied and used."""

    def stream(
        self, batches: Iterable[Sequence[Sequence[int]]], layers: Sequence[LayerRecord]
    ) -> Iterator[list[torch.Tensor]]:
        """`states` of one batch after another, in order."""
        ...
