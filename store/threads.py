"""Threads of this process that squeeze chunks."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor


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
