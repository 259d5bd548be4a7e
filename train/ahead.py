"""Making the next things while the current one is used, in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


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
