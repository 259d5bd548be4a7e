"""Ctrl-C in a training: the step is finished and kept, and only then the program ends."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

NOTICE: Final = b"\nCtrl-C: the step is finished and kept first; once more to stop at once\n"


@contextmanager
def deferred_interrupt(processes: int) -> Iterator[Callable[[], bool]]:
    """Within it the first Ctrl-C is remembered, and the second acts as it always does.

    Yields what tells whether there was one. Only where a single process trains: several would
    notice it at different steps. Elsewhere, in a thread, and where Ctrl-C is ignored, as it is by
    a job in the background of a script, it stays as it is.
    """
    requested = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal requested
        requested = True
        signal.signal(signal.SIGINT, before)
        os.write(2, NOTICE)

    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if processes > 1 or not main or before in (None, signal.SIG_IGN):
        yield lambda: False
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: requested
    finally:
        signal.signal(signal.SIGINT, before)


def ignore_interrupts() -> None:
    """For processes that make batches: a terminal sends Ctrl-C to them too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
