"""Measuring the tokens per second of a teacher on a few documents, for the plan."""

import time
from collections.abc import Sequence

from ..store.format.schema import LayerRecord
from .teachers.protocol import Teacher

_MIN_SECONDS = 0.5
"""Duration from which a measurement counts."""


def measure_rate(
    teacher: Teacher,
    documents: Sequence[Sequence[int]],
    layers: Sequence[LayerRecord],
    *,
    packed: bool = False,
) -> float:
    """Computed tokens per second on a typical batch or the start of one.

    Padding counts as computed, unless the documents are `packed`.

    The number of documents doubles until reading them takes half a second, so that slow machines
    do not spend a whole batch on it and fast ones are not measured on a single document.
    """
    teacher.states(documents[:1], layers)  # warm-up: lazy initialisation and compilation
    size = 1
    while True:
        batch = documents[:size]
        start = time.perf_counter()
        teacher.states(batch, layers)
        seconds = time.perf_counter() - start
        if seconds >= _MIN_SECONDS or size >= len(documents):
            lengths = [len(document) for document in batch]
            return (sum(lengths) if packed else len(batch) * max(lengths)) / seconds
        size *= 2
