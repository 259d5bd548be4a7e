"""Batches from the store: which documents a step sees is a function of seed and step alone.

So there is nothing to save of the data when a run is interrupted, and nothing to replay.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from random import Random
from typing import Any, Protocol

import numpy as np

from ..common.errors import StoreError
from ..compressor.states import padded_length
from ..corpus.records import Document
from ..models.loading import TextSide
from ..reasoner.packing import EncodedQuestion, encode_questions
from ..store.format.schema import Integers
from ..store.read.reader import FeatureStore
from .ahead import Ahead
from .batches import Batch, Example, IndexedBatch, collate
from .staging import Staging
from .workers import Source

WINDOW = 8
"""Batches that are sorted by length together, so that a batch holds documents of one length."""


_READERS = min(4, max(1, (os.cpu_count() or 1) // 2))
"""Threads that read the documents of a batch: copies and checksums run beside each other."""


class Batches(Protocol):
    """Where a training run gets its batches from."""

    def at(self, step: int) -> Batch:
        """The batch of one step, on the CPU or on the device; the same whenever it is asked."""
        ...

    def describe(self) -> Mapping[str, object]:
        """What decides the batches, for the record of the run."""
        ...

    def close(self) -> None:
        """Stop whatever prepares batches."""
        ...


class StoreBatches:
    """Documents of a feature store in shuffled order, epoch after epoch."""

    def __init__(
        self,
        store: FeatureStore,
        documents: Sequence[Document],
        reasoner: TextSide,
        layers: Sequence[int],
        *,
        per_step: int,
        positions: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        split: str | None = None,
    ) -> None:
        """Join a store with the questions of its corpus.

        Args:
            store: the states.
            documents: the corpus that was extracted, questions included.
            reasoner: whose tokens the questions are told in.
            layers: which stored layers, by blocks completed.
            per_step: documents of a step of this process.
            positions: question tokens behind each document.
            seed: of the order of documents and of the choice of questions.
            rank: of this process among `world`.
            world: processes that train together.
            split: of the corpus, for the record; None where it does not say.

        Raises:
            StoreError: a document of the store is not in the corpus, or none has questions.
        """
        self._store, self._layers = store, tuple(layers)
        self._per_step, self._positions, self._seed = per_step, positions, seed
        self._rank, self._world, self._split = rank, world, split
        self._questions = _questions(store, documents, reasoner)
        # A step whose questions all are too long would learn from the mean of nothing.
        self._usable = np.flatnonzero(
            [any(len(question) <= positions for question in asked) for asked in self._questions]
        )
        if not len(self._usable):
            raise StoreError(
                f"{store.path}: no document of this store has a question to learn from that fits "
                f"into {positions} tokens; give questions, or more tokens for them"
            )

        self._open()

    def _open(self) -> None:
        """What each process has of its own."""
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        # Eight steps share a window, and many windows an epoch, or many epochs a window.
        self._window = lru_cache(maxsize=2)(self._draw)
        self._shuffled = lru_cache(maxsize=2)(self._shuffle)

    def __getstate__(self) -> dict[str, Any]:
        own = ("_readers", "_window", "_shuffled")
        return {k: v for k, v in vars(self).items() if k not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    @property
    def batch_bytes(self) -> int:
        """About what the largest batch takes."""
        width = self._store.manifest.teacher.hidden_size * len(self._layers)
        longest = padded_length(int(self._store.lengths.max()))
        return self._per_step * (longest * (2 * width + 33) + self._positions * 25)

    def at(self, step: int) -> Batch:
        """The batch of one step, on the CPU."""
        return self.indexed(step).batch

    def indexed(self, step: int) -> IndexedBatch:
        """The same with the places of its documents in the store."""
        rng = Random(f"batch/{self._seed}/{step}/{self._rank}")
        indices = self._indices(step)
        # A few parts, not a task each: what hands tasks out holds the interpreter's lock.
        parts = (indices[start::_READERS] for start in range(_READERS))
        read = list(self._readers.map(self._examples, parts))
        rows = [read[place % _READERS][place // _READERS] for place in range(len(indices))]
        return IndexedBatch(collate(rows, self._positions, rng), tuple(indices))

    def describe(self) -> Mapping[str, object]:
        """Seed, sizes, processes, and what decides the bytes of the store."""
        return {
            "kind": "store",
            "seed": self._seed,
            "documents": len(self._usable),
            "per_step": self._per_step,
            "world": self._world,
            "corpus_sha256": self._store.manifest.corpus_sha256,
            "split": self._split,
            "dtype": self._store.manifest.dtype,
            "codec": self._store.manifest.codec,
        }

    def close(self) -> None:
        """Stop the readers."""
        self._readers.shutdown(wait=True, cancel_futures=True)

    def _examples(self, indices: Sequence[int]) -> list[Example]:
        read, questions = self._store.read, self._questions
        return [Example(read(index, self._layers), questions[index]) for index in indices]

    def _indices(self, step: int) -> list[int]:
        """Documents of a step: a window of the endless shuffled order, sorted, one slice of it."""
        slot = step * self._world + self._rank
        window, place = divmod(slot, WINDOW)
        drawn = self._window(window)
        order = Random(f"window/{self._seed}/{window}").sample(range(WINDOW), WINDOW)
        start = order[place] * self._per_step
        return [int(index) for index in drawn[start : start + self._per_step]]

    def _draw(self, window: int) -> Integers:
        """Documents of a window, the shortest first, and of those of one length the first."""
        size, documents = WINDOW * self._per_step, len(self._usable)
        numbers = np.arange(window * size, (window + 1) * size)
        epochs, places = np.divmod(numbers, documents)
        drawn = np.concatenate(
            [self._shuffled(int(epoch))[places[epochs == epoch]] for epoch in np.unique(epochs)]
        )
        shortest_first: Integers = drawn[np.lexsort((drawn, self._store.lengths[drawn]))]
        return shortest_first

    def _shuffle(self, epoch: int) -> Integers:
        order = self._store.order(self._seed, epoch)
        return order[np.isin(order, self._usable)]


def _questions(
    store: FeatureStore, documents: Sequence[Document], reasoner: TextSide
) -> list[tuple[EncodedQuestion, ...]]:
    by_id = {document.document_id: document for document in documents}
    missing = [name for name in store.document_ids if name not in by_id]
    if missing:
        raise StoreError(
            f"{store.path}: document {missing[0]!r} is not in the corpus "
            f"({len(missing)} of {len(store)}); give the corpus that was extracted"
        )
    return [encode_questions(reasoner, by_id[name].questions) for name in store.document_ids]


class Streamed:
    """Batches of a store, each read and laid onto the device while the one before is trained on."""

    def __init__(self, source: Source, staging: Staging) -> None:
        """Read ahead of the training loop."""
        self._source, self._staging = source, staging
        self._ahead = Ahead(lambda step: staging.lay(source.indexed(step).batch))

    def at(self, step: int) -> Batch:
        """The batch of a step, on the device; steps are asked for in order."""
        return self._staging.take(self._ahead.at(step))

    def describe(self) -> Mapping[str, object]:
        """Of the source."""
        return self._source.describe()

    def close(self) -> None:
        """Stop reading."""
        self._ahead.close()
        self._source.close()
