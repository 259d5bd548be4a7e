"""How fast the teacher reads here, measured on a few documents before the plan is shown."""

import time
from collections.abc import Sequence

from ..store.format.schema import LayerRecord
from .teachers.protocol import Teacher

_LONG_ENOUGH = 0.5
"""Seconds; what takes longer is measured well enough."""


def measure_rate(
    teacher: Teacher,
    documents: Sequence[Sequence[int]],
    layers: Sequence[LayerRecord],
    *,
    packed: bool = False,
) -> float:
    """Computed tokens per second on a typical batch or the start of one.

    Padding counts as computed, unless the documents are `packed`.

    A slow machine should not spend a whole batch on the question, and a fast one is not
    measured by a single document: the batch doubles until it takes half a second.
    """
    teacher.states(documents[:1], layers)  # the first call pays for everything that is lazy
    size = 1
    while True:
        batch = documents[:size]
        start = time.perf_counter()
        teacher.states(batch, layers)
        seconds = time.perf_counter() - start
        if seconds >= _LONG_ENOUGH or size >= len(documents):
            lengths = [len(document) for document in batch]
            return (sum(lengths) if packed else len(batch) * max(lengths)) / seconds
        size *= 2
