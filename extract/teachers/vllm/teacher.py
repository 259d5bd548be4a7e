"""Teacher on vLLM; its cache keeps documents until their shards are committed.

A batch is given to the engine when the cache has room for all of it, and never together with
another one: which documents are computed together follows from the plan alone, as it does with
transformers, and a resumed run writes the same bytes.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import torch

from ....common.errors import TeacherError
from ....store.format.schema import LayerRecord, ModelIdentity
from .engine import EngineSettings, VllmEngine

_COMMIT_TIMEOUT: Final = 600.0
"""Seconds without a commit after which a full cache is an error instead of a slow disk."""


class VllmTeacher:
    """Reads documents with vLLM."""

    def __init__(self, identity: ModelIdentity, settings: EngineSettings) -> None:
        """Start the engine.

        Raises:
            TeacherError: vLLM cannot start; the message has its reason.
        """
        self._identity = identity
        self._columns = {blocks: at for at, blocks in enumerate(settings.blocks_completed)}
        self._engine = VllmEngine(settings)
        self._tickets = itertools.count()
        self._holding = False
        self._held: dict[tuple[int, ...], list[int]] = {}

    @property
    def identity(self) -> ModelIdentity:
        """Identity of the model."""
        return self._identity

    @property
    def held_documents(self) -> int:
        """Documents that were read and not released."""
        return sum(map(len, self._held.values()))

    def close(self) -> None:
        """Stop vLLM and free its memory."""
        self._engine.close()

    def states(
        self, documents: Sequence[Sequence[int]], layers: Sequence[LayerRecord]
    ) -> list[torch.Tensor]:
        """Hidden states of each document, [tokens, layers, hidden] on the CPU.

        Raises:
            TeacherError: vLLM failed, or the cache stays full because nothing is committed.
        """
        (read,) = self.stream([documents], layers)
        return read

    def stream(
        self, batches: Iterable[Sequence[Sequence[int]]], layers: Sequence[LayerRecord]
    ) -> Iterator[list[torch.Tensor]]:
        """The same for one batch after another, in order: while the states of one are copied
        to the host and used, the next is computed.

        Raises:
            TeacherError: as `states`.
        """
        columns = [self._column(layer) for layer in layers]
        before: list[int] | None = None
        for documents in batches:
            if not columns or not documents or not all(documents):
                raise ValueError("a batch needs layers, and documents of at least one token")
            tickets = self._compute(documents)
            if before is not None:
                yield self._take(before, columns)
            before = tickets
        if before is not None:
            yield self._take(before, columns)

    def hold(self) -> None:
        """From now on, keep what is read in the cache of the engine until it is released; what
        was kept for an earlier writer is released."""
        self.release(list(self._held))
        self._holding = True

    def release(self, documents: Iterable[Sequence[int]]) -> None:
        """Let the engine drop documents whose shards are committed; others do not matter.

        May be called from another thread than `states`.
        """
        groups = [self._held.pop(tuple(document), []) for document in documents]
        if tickets := [ticket for group in groups for ticket in group]:
            self._engine.channel.release(tickets)

    def _column(self, layer: LayerRecord) -> int:
        if layer.post_norm or layer.blocks_completed not in self._columns:
            raise ValueError(f"the engine was not started for {layer}")
        return self._columns[layer.blocks_completed]

    def _compute(self, documents: Sequence[Sequence[int]]) -> list[int]:
        """Compute a batch; on a GPU its states may still be being copied."""
        self._wait_for_room(documents)
        tickets = [next(self._tickets) for _ in documents]
        self._engine.compute(documents, tickets)
        if self._holding:
            for document, ticket in zip(documents, tickets, strict=True):
                self._held.setdefault(tuple(document), []).append(ticket)
        return tickets

    def _take(self, tickets: Sequence[int], columns: list[int]) -> list[torch.Tensor]:
        states = [self._engine.channel.take(ticket) for ticket in tickets]
        if not self._holding:
            self._engine.channel.release(tickets)
        ordered = columns == list(range(len(self._columns)))
        return states if ordered else [state[:, columns] for state in states]

    def _wait_for_room(self, documents: Sequence[Sequence[int]]) -> None:
        needed = self._engine.blocks(map(len, documents))
        if needed > self._engine.cache_blocks:
            raise TeacherError(
                f"a batch needs {needed:,} blocks of vLLM's cache, which has "
                f"{self._engine.cache_blocks:,}; give a smaller --batch-tokens"
            )
        channel = self._engine.channel
        while True:
            seen = channel.releases
            self._engine.settle()
            if needed <= self._engine.free_blocks:
                return
            if not channel.wait_for_release(seen, _COMMIT_TIMEOUT):
                raise TeacherError(
                    f"vLLM's cache is full and no shard was committed for {_COMMIT_TIMEOUT:.0f} s; "
                    "give a smaller --batch-tokens, or look whether the disk still answers"
                )
