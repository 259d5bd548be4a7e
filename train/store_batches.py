"""Batches from the store: the documents of a step are a pure function of seed and step.

So a checkpoint holds no data state, and a resumed run replays nothing.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np

from ..common.errors import StoreError
from ..compressor.states import padded_length
from ..corpus.records import Document
from ..models.loading import TextSide
from ..reasoner.packing import EncodedQuestion, encode_questions
from ..store.format.schema import Integers
from ..store.read.reader import FeatureStore
from .batches import Batch, Example, collate

WINDOW = 8
"""Batches drawn and sorted by length together, so that a batch holds documents of like length."""

_READERS = min(4, max(1, (os.cpu_count() or 1) // 2))
"""Threads that read the documents of a batch: copies and checksums release the GIL."""


class StoreBatches:
    """Documents of a feature store in shuffled order, epoch after epoch."""

    def __init__(
        self,
        store: FeatureStore,
        documents: Sequence[Document],
        reasoner: TextSide,
        layers: Sequence[int],
        *,
        batch_size: int,
        question_tokens: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        split: str | None = None,
    ) -> None:
        """Join a store with the questions of its corpus.

        Args:
            store: the states.
            documents: the corpus that was extracted, questions included; those of families
                held out are not learned from.
            reasoner: its tokenizer and prompt encode the questions.
            layers: which stored layers, by blocks completed.
            batch_size: documents of one step of one process.
            question_tokens: tokens of questions behind each document.
            seed: decides the order of documents and the choice of questions.
            rank: of this process among `world`.
            world: processes that train together.
            split: of the corpus, for the record; None if unknown.

        Raises:
            StoreError: a document of the store is not in the corpus, or none has questions.
        """
        self._store, self._layers = store, tuple(layers)
        self._batch_size, self._question_tokens, self._seed = batch_size, question_tokens, seed
        self._rank, self._world, self._split = rank, world, split
        self._questions = _questions(store, documents, reasoner)
        # A document whose questions are all too long would make a loss over no tokens.
        self._usable = np.flatnonzero(
            [any(len(q) <= question_tokens for q in questions) for questions in self._questions]
        )
        if not len(self._usable):
            raise StoreError(
                f"{store.path}: no document of this store has a question to learn from that fits "
                f"into {question_tokens} tokens; give questions, or more tokens for them"
            )

        self._open()

    def _open(self) -> None:
        """Threads and caches, which are not pickled: every process makes its own."""
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        # Eight steps share a window, and many windows an epoch, or many epochs a window.
        self._window = lru_cache(maxsize=2)(self._draw)
        self._shuffled = lru_cache(maxsize=2)(self._shuffle)

    def __getstate__(self) -> dict[str, Any]:
        unpickled = ("_readers", "_window", "_shuffled")
        return {k: v for k, v in vars(self).items() if k not in unpickled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    @property
    def batch_bytes(self) -> int:
        """Estimated size of the largest batch."""
        width = self._store.manifest.teacher.hidden_size * len(self._layers)
        longest = padded_length(int(self._store.lengths.max()))
        return self._batch_size * (longest * (2 * width + 33) + self._question_tokens * 25)

    def at(self, step: int) -> Batch:
        """The batch of one step, on the CPU."""
        rng = Random(f"batch/{self._seed}/{step}/{self._rank}")
        indices = self.indices(step)
        # A few parts instead of one task a document: submitting tasks holds the GIL.
        parts = (indices[start::_READERS] for start in range(_READERS))
        read = list(self._readers.map(self._examples, parts))
        rows = [read[place % _READERS][place // _READERS] for place in range(len(indices))]
        return collate(rows, self._question_tokens, rng)

    def indices(self, step: int) -> tuple[int, ...]:
        """Documents of a step in the store: a slice of a window of the endless shuffled order."""
        slot = step * self._world + self._rank
        window, place = divmod(slot, WINDOW)
        drawn = self._window(window)
        order = Random(f"window/{self._seed}/{window}").sample(range(WINDOW), WINDOW)
        start = order[place] * self._batch_size
        return tuple(int(index) for index in drawn[start : start + self._batch_size])

    def document_ids(self, step: int) -> tuple[str, ...]:
        """Ids of the documents of a step, in the order of its batch."""
        names = self._store.document_ids
        return tuple(names[index] for index in self.indices(step))

    def describe(self) -> Mapping[str, object]:
        """Seed, sizes, number of processes, and what determines the bytes of the store."""
        return {
            "kind": "store",
            "seed": self._seed,
            "documents": len(self._usable),
            "per_step": self._batch_size,  # the name in the records of older runs
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

    def _draw(self, window: int) -> Integers:
        """Indices of a window, sorted by length, then by index."""
        size, documents = WINDOW * self._batch_size, len(self._usable)
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
    return [
        encode_questions(reasoner, by_id[name].training_questions) for name in store.document_ids
    ]
