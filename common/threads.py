"""Threads of this process: how many, and how they take turns."""

import functools
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

_TURN = 2e-4
"""Seconds after which a thread that wants the interpreter's lock gets it."""


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # absent on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@functools.cache
def pool() -> ThreadPoolExecutor:
    """As many threads as cores, shared by everything in this process."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="store-codec")


# A forked child has the pool but not its threads, and would wait for them forever.
os.register_at_fork(after_in_child=pool.cache_clear)


@contextmanager
def quick_turns() -> Iterator[None]:
    """Threads hand the interpreter's lock over sooner than after Python's 5 ms.

    Every operation of torch gives the lock up and takes it back. While another thread works
    in Python, each of them may cost the thread that drives the device a whole turn of that one.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
