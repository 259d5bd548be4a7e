"""Threads of this process: how many, and how often they switch."""

import functools
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_SWITCH_INTERVAL = 2e-4
"""Seconds after which Python hands the GIL to a thread that waits for it; the default is 5 ms."""


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # absent on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def core_shares(parts: int) -> tuple[frozenset[int], ...]:
    """The cores of this process, dealt out evenly; with more parts than cores they share them.

    Empty sets where the system does not say which cores there are.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    mine = sorted(affinity(0)) if affinity else []
    if not mine:
        return (frozenset(),) * parts
    if parts >= len(mine):
        return tuple(frozenset({mine[part % len(mine)]}) for part in range(parts))
    return tuple(frozenset(mine[part::parts]) for part in range(parts))


def keep_to(process: int, cores: frozenset[int]) -> None:
    """Keep a process that was just started, and all that it will start, to some cores.

    Nothing happens without cores, or where it has ended already.
    """
    if cores:
        with suppress(ProcessLookupError):
            os.sched_setaffinity(process, cores)


@functools.cache
def pool() -> ThreadPoolExecutor:
    """As many threads as cores, shared by everything in this process."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="store-codec")


# A forked child has the pool but not its threads, and would wait for them forever.
os.register_at_fork(after_in_child=pool.cache_clear)


def in_order(
    function: Callable[[ItemT], ResultT], items: Iterable[ItemT], threads: int
) -> Iterator[ResultT]:
    """What `function` makes of every item, in order, by so many threads and as many items ahead.

    One thread is the caller's own. Errors are raised where their result would have come.
    """
    if threads <= 1:
        yield from map(function, items)
        return
    running: deque[Future[ResultT]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="in-order") as workers:
        try:
            for item in items:
                running.append(workers.submit(function, item))
                if len(running) >= 2 * threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for left in running:
                left.cancel()


@contextmanager
def short_switch_interval() -> Iterator[None]:
    """Let threads hand over the GIL sooner than after Python's default of 5 ms.

    Every torch operation releases the GIL and takes it back. While another thread runs Python
    code, each operation may cost the thread that drives the device one whole switch interval.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
