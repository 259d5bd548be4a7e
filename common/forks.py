"""What threads share and a forked child can still use.

A child has the memory of its parent and one thread only: a lock that another thread held at that
moment stays held for ever. `functools.cached_property` has such a lock, too, before Python 3.12.
"""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

ValueT = TypeVar("ValueT")


class ForkLock:
    """A lock that is free in a forked child."""

    def __init__(self) -> None:
        """Free."""
        self._lock = threading.Lock()
        _locks.add(self)

    def renew(self) -> None:
        """Forget the thread that holds it."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_locks: "weakref.WeakSet[ForkLock]" = weakref.WeakSet()


def _renew_all() -> None:
    for lock in list(_locks):
        lock.renew()


os.register_at_fork(after_in_child=_renew_all)


class lazy(Generic[ValueT]):  # noqa: N801  used like `property`
    """A property that is computed on first use; two threads may both compute it."""

    def __init__(self, compute: Callable[[Any], ValueT]) -> None:
        """As a decorator of a method."""
        self._compute, self._name = compute, compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> ValueT: ...

    def __get__(self, instance: object | None, owner: type) -> Self | ValueT:
        if instance is None:
            return self
        value = self._compute(instance)
        instance.__dict__[self._name] = value
        return value
