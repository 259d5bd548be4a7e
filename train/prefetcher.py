"""A prefetcher: a background thread prepares the next steps while the current one is used."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Results of `make(step)`, computed ahead of time in one background thread."""

    def __init__(self, make: Callable[[int], T], depth: int = 3) -> None:
        """Keep `depth` steps in flight, the requested one included."""
        self._make, self._depth = make, depth
        # One thread: results come in order, and decoding releases the GIL anyway.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._pending: dict[int, Future[T]] = {}

    def at(self, step: int) -> T:
        """The result of a step; steps must be requested in order."""
        self._submit(step)
        result = self._pending.pop(step).result()
        # Only now: a thread that starts working competes for the GIL with the one that waits.
        for later in range(step + 1, step + self._depth):
            self._submit(later)
        return result

    def _submit(self, step: int) -> None:
        if step not in self._pending:
            self._pending[step] = self._pool.submit(self._make, step)

    def close(self) -> None:
        """Stop the thread and drop the results that were not requested."""
        self._pool.shutdown(wait=True, cancel_futures=True)
