"""Making the next things while the current one is used, in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """What `make` makes of each step, begun before it is asked for."""

    def __init__(self, make: Callable[[int], T], depth: int = 2) -> None:
        """Keep `depth` steps in the making, the one that is asked for included."""
        self._make, self._depth = make, depth
        # One thread: what makes them keeps its place, and decoding leaves Python anyway.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._waiting: dict[int, Future[T]] = {}

    def at(self, step: int) -> T:
        """What belongs to a step; steps are asked for in order."""
        for ahead in range(step, step + self._depth):
            if ahead not in self._waiting:
                self._waiting[ahead] = self._pool.submit(self._make, ahead)
        return self._waiting.pop(step).result()

    def close(self) -> None:
        """Stop the thread; what was not asked for is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
