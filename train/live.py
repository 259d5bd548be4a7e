"""Batches without a disk: fresh documents in every step, the teacher in the loop.

For training on a GPU, where a thin teacher reads faster than a disk delivers. The states are
rounded to bfloat16 as a store keeps them, but computed as the caller's teacher computes: on a GPU
the training reads in bfloat16 throughout, where an extraction of the lab computes in float32.
Where the documents and the states come from is passed in: this stage does not know the other.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .batches import Batch, Example, collate
from .data import WINDOW

Documents = Callable[[int, int], list[Example]]
"""(first index, count) -> that many documents without states; picklable, for spawned workers."""
ReadStates = Callable[[Tensor], Tensor]
"""Token ids [B, T] -> states [B, T, L, D]."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Sizes of a live source."""

    per_step: int
    """Documents of one step of one process."""
    positions: int
    """Question tokens behind each document."""
    seed: int
    lengths: tuple[int, ...]
    """Padded lengths that may occur, ascending: each is compiled once."""
    split: str = "train"
    """Of the documents, for the record."""
    rank: int = 0
    world: int = 1
    workers: int = 8


class LiveBatches:
    """Documents made by worker processes, states by the teacher on the device."""

    def __init__(
        self, documents: Documents, read_states: ReadStates, settings: LiveSettings, first: int
    ) -> None:
        """Start the workers at step `first`; steps must then be asked for in order."""
        self._read_states, self._settings = read_states, settings
        self._window, self._batches = first // WINDOW - 1, list[Batch]()
        loader = DataLoader(
            _Windows(documents, settings, first // WINDOW),
            batch_size=None,
            num_workers=settings.workers,
            prefetch_factor=1 if settings.workers else None,
            multiprocessing_context="spawn" if settings.workers else None,
        )
        self._windows: Iterator[list[Batch]] = iter(loader)

    def at(self, step: int) -> Batch:
        """The batch of one step, on the device of the teacher."""
        window, place = divmod(step, WINDOW)
        while self._window < window:
            self._window += 1
            self._batches = next(self._windows)
        batch = self._batches[place]
        with torch.no_grad():
            h_BTLD = self._read_states(batch.token_ids_BT)
        return replace(batch, states=replace(batch.states, h_BTLD=h_BTLD))

    def describe(self) -> Mapping[str, object]:
        """Seed and sizes."""
        settings = self._settings
        return {
            "kind": "live",
            "split": settings.split,
            "seed": settings.seed,
            "per_step": settings.per_step,
            "world": settings.world,
        }

    def close(self) -> None:
        """Let the workers go."""
        del self._windows


class _Windows(Dataset[list[Batch]]):
    """Window number i: `WINDOW` batches of one process, documents of like length together."""

    def __init__(self, documents: Documents, settings: LiveSettings, first: int) -> None:
        self._documents, self._settings, self._first = documents, settings, first

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> list[Batch]:
        settings, window = self._settings, self._first + number
        size = WINDOW * settings.per_step
        start = (window * settings.world + settings.rank) * size
        examples = self._documents(start, size)
        examples.sort(key=lambda example: len(example.features.token_ids))
        order = Random(f"window/{settings.seed}/{window}/{settings.rank}").sample(
            range(WINDOW), WINDOW
        )
        return [
            self._batch(examples[place * settings.per_step :][: settings.per_step], window, place)
            for place in order
        ]

    def _batch(self, examples: list[Example], window: int, place: int) -> Batch:
        settings = self._settings
        longest = max(len(example.features.token_ids) for example in examples)
        length = next((padded for padded in settings.lengths if padded >= longest), longest)
        rng = Random(f"live/{settings.seed}/{window}/{settings.rank}/{place}")
        return collate(examples, settings.positions, rng, length)
