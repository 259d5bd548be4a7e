"""Making the next things while the current one is used, in a thread of its own."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

_TURN = 2e-4
"""Seconds after which a thread that wants the interpreter's lock gets it."""


class Ahead(Generic[T]):
    """What `make` makes of each step, begun before it is asked for."""

    def __init__(self, make: Callable[[int], T], depth: int = 3) -> None:
        """Keep `depth` steps in the making, the one that is asked for included."""
        self._make, self._depth = make, depth
        # One thread: what makes them keeps its place, and decoding leaves Python anyway.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._begun: dict[int, Future[T]] = {}

    def at(self, step: int) -> T:
        """What belongs to a step; steps are asked for in order."""
        self._begin(step)
        made = self._begun.pop(step).result()
        # Not before: a thread that begins takes turns with the one that wants to go on.
        for ahead in range(step + 1, step + self._depth):
            self._begin(ahead)
        return made

    def _begin(self, step: int) -> None:
        if step not in self._begun:
            self._begun[step] = self._pool.submit(self._make, step)

    def close(self) -> None:
        """Stop the thread; what was not asked for is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def quick_turns() -> Iterator[None]:
    """Threads hand the interpreter's lock over sooner than after Python's 5 ms.

    Every operation of torch gives the lock up and takes it back. While another thread makes the
    next batch, each of them may cost the training thread a whole turn of that thread.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
