"""A background writer thread with a bounded queue."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import torch


class WriteBehind:
    """Writes states in a thread of its own, in order.

    At most `waiting` windows are queued: a slow disk blocks `put`, so memory is bounded and
    nothing is dropped. Exceptions of the writer are raised by the next `put`, or on exit.
    """

    def __init__(self, write: Callable[[int, torch.Tensor], None], waiting: int = 1) -> None:
        """Write with `write(index, states)`."""
        self._write, self._waiting = write, waiting
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write-behind")
        self._parts: deque[Future[None]] = deque()

    def put(self, states: Mapping[int, torch.Tensor]) -> None:
        """Queue the states of these documents, written ascending by index."""
        while len(self._parts) > self._waiting:
            self._parts.popleft().result()
        self._parts.append(self._pool.submit(self._write_part, dict(states)))

    def _write_part(self, states: dict[int, torch.Tensor]) -> None:
        for index in sorted(states):
            self._write(index, states.pop(index))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failed = kind is not None
        try:
            while self._parts and not failed:
                self._parts.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
