"""How fast the teacher reads here, measured on a few documents before the plan is shown."""

import time
from collections.abc import Sequence

from ..store.schema import LayerRecord
from .teachers.protocol import Teacher

_LONG_ENOUGH = 0.5
"""Seconds; what takes longer is measured well enough."""


def measure_rate(
    teacher: Teacher, documents: Sequence[Sequence[int]], layers: Sequence[LayerRecord]
) -> float:
    """Computed tokens per second, padding included, on a typical batch or the start of one.

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
            return len(batch) * max(map(len, batch)) / seconds
        size *= 2
