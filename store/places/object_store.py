"""The connection to an object store through obstore, with its errors as OSError."""

import contextlib
import errno
import functools
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from ...common.errors import StoreError
from .protocol import UnreachableError

_RETRIES: dict[str, Any] = {
    "max_retries": 20,
    "retry_timeout": timedelta(seconds=40),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=4),
        "base": 2,
    },
}
"""A service that is started again is back in half a minute; a failure that lasts longer is
reported to the user."""
_engine: int | None = None
"""Process that began to use the engine of obstore: its threads do not come along into a fork."""


def connect(address: str) -> Any:  # noqa: ANN401  an obstore store
    """Open the object store at `address`; nothing is requested from it yet.

    Raises:
        StoreError: the extra `remote` is not installed, or an address of an unknown kind.
    """
    if address.startswith("memory://"):
        return _memory(address)
    obstore = _library()
    try:
        return obstore.store.from_url(address, retry_config=_RETRIES)
    except Exception as error:  # each kind of store raises its own exceptions
        raise StoreError(
            f"{address}: is no address of a store ({_reason(error)}): give a folder, or one such "
            "as s3://bucket/folder"
        ) from error


@contextlib.contextmanager
def os_errors() -> Iterator[None]:
    """Turn errors of obstore into the OSError that a disk would raise. Raises: OSError."""
    global _engine
    base = _library().exceptions.BaseError
    _engine = _engine or os.getpid()
    if _engine != os.getpid():
        raise StoreError(
            "a store at an address cannot be used in a process that was forked from one that used "
            "one: give the DataLoader multiprocessing_context='spawn', or start the process so"
        )
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, f"No such object ({_reason(error)})") from error
    except base as error:
        raise UnreachableError(errno.EIO, _reason(error)) from error


@functools.cache
def _memory(address: str) -> Any:  # noqa: ANN401  an obstore store
    del address  # the cache key: one address is one store within this process
    return _library().store.MemoryStore()


def _library() -> Any:  # noqa: ANN401  a module
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise StoreError(
            "stores at addresses need obstore: pip install 'latentcomp[remote]'"
        ) from error
    return obstore


def _reason(error: Exception) -> str:
    """The first sentence of an error message of obstore, which may fill a page."""
    text = " ".join(str(error).split("\n\nDebug source:")[0].split())
    return text if len(text) <= 200 else text[:197] + "..."
