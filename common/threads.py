"""Threads of this process: how many, and how often they switch."""

import functools
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

_SWITCH_INTERVAL = 2e-4
"""Seconds after which Python hands the GIL to a thread that waits for it; the default is 5 ms."""


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
