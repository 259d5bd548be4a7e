"""One line where the kernel kills a process whose mapped file became shorter.

Reading mapped memory behind the end of its file is SIGBUS: when a shard is restored in place
(`cp`, `rsync --inplace`) in the very moment in which it is copied. Before and after that moment
the change is seen and is an error like any other (`PartReader.changed`). No code can go on after
the signal, so the process says why it ends, and ends with the code of a user's error.
"""

import ctypes
import faulthandler
import os
import signal
import sys
from typing import Final, NoReturn

_MESSAGE: Final = (
    b"error: a file of a feature store became shorter while it was read: a shard was replaced in "
    b"place; put files beside it and rename them, and run again\n"
)
_CODE: Final = 2
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int)


def _end(number: int) -> NoReturn:
    os.write(2, _MESSAGE)
    os._exit(_CODE)


_handler = _Handler(_end)
"""Kept, so that the address which the kernel has stays that of a function."""
_explained = False


def explain() -> None:
    """Let SIGBUS say what happened, once a process, unless another handler does already."""
    global _explained
    if _explained or not sys.platform.startswith("linux"):
        return
    _explained = True
    if faulthandler.is_enabled() or signal.getsignal(signal.SIGBUS) is not signal.SIG_DFL:
        return
    libc = ctypes.CDLL(None)
    libc.signal.restype = ctypes.c_void_p
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal(int(signal.SIGBUS), ctypes.cast(_handler, ctypes.c_void_p))
