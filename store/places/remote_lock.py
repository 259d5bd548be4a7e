"""Locks in an object store, which has no flock: objects created by a conditional put.

An object outlives its owner. A lock whose owner ran on this machine and no longer runs is taken
over; the lock of another machine must be deleted by a person who knows that the writer is gone.
"""

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Protocol, Self

from ...common.errors import StoreBusyError
from ...common.lock import MUTEX, Owner, is_lock, overlap, part_name

_MUTEX_TIMEOUT: Final = 60.0
_POLL_INTERVAL: Final = 0.1


@dataclass(frozen=True, slots=True)
class TaggedObject:
    """A small object."""

    data: bytes
    tag: str
    """Changes with the content (ETag)."""


class LockObjects(Protocol):
    """What locks need of an object store."""

    def __str__(self) -> str:
        """Address, for messages."""

    def at(self, name: str) -> str:
        """Address of an object, for messages."""

    def names(self) -> tuple[str, ...]:
        """Every object. Raises: OSError."""

    def read(self, name: str) -> bytes:
        """A whole object. Raises: OSError, FileNotFoundError if there is none."""

    def fetch(self, name: str) -> TaggedObject | None:
        """An object with its tag; None if there is none. Raises: StoreError."""

    def put_if(self, name: str, data: bytes, tag: str | None) -> bool:
        """Put if the object has this tag, or if there is none; True if put. Raises: StoreError."""

    def remove(self, *names: str) -> None:
        """Remove objects; missing ones are ignored. Raises: StoreError."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """Content of a lock object."""

    name: str
    pid: int
    host: str
    token: str
    """Unique per claim: a put that was retried after it had succeeded is recognised as ours."""

    @property
    def owner(self) -> Owner:
        return Owner(self.name, self.pid, self.host)


def _acquire(place: LockObjects, key: str, ours: _Claim) -> _Claim | None:
    """Put `key` with our claim; None if acquired, else the claim of the process that has it."""
    content = json.dumps(asdict(ours)).encode()
    tag: str | None = None
    while not place.put_if(key, content, tag):
        existing = place.fetch(key)
        if existing is None:  # released between put and fetch
            tag = None
            continue
        claim = _parse(existing.data)
        if claim.token == ours.token:
            return None
        if not claim.owner.gone:
            return claim
        # Conditional on the dead owner's tag: of several processes only one takes it over.
        tag = existing.tag
    return None


def _parse(data: bytes) -> _Claim:
    try:
        fields = json.loads(data)
        return _Claim(
            str(fields["name"]), int(fields["pid"]), str(fields["host"]), str(fields["token"])
        )
    except (ValueError, KeyError, TypeError):
        return _Claim("another process", 0, "an unknown host", "")


def _new_claim(name: str) -> _Claim:
    return _Claim(name, os.getpid(), socket.gethostname(), uuid.uuid4().hex)


@contextlib.contextmanager
def remote_mutex(place: LockObjects) -> Iterator[None]:
    """Held by one process at a time, to prepare or seal the store.

    Raises:
        StoreBusyError: another process has held it for a minute.
    """
    ours = _new_claim("a writer")
    deadline = time.monotonic() + _MUTEX_TIMEOUT
    while (other := _acquire(place, MUTEX, ours)) is not None:
        if time.monotonic() > deadline:
            raise _busy(place, MUTEX, other)
        time.sleep(_POLL_INTERVAL)
    try:
        yield
    finally:
        place.remove(MUTEX)


class RemoteLock:
    """Exclusive lock on some or all shards: an object that names its owner."""

    def __init__(self, place: LockObjects, name: str, shards: range | None) -> None:
        """Acquire it under the name `name`.

        The own object is put first and the others are listed afterwards: of two that overlap, at
        least one sees the other, so they never both write.

        Raises:
            StoreBusyError: a process that may still run holds some of the same shards.
            StoreError: the object store fails.
        """
        self._place, self._key = place, part_name(shards)
        self._acquired = False
        other = _acquire(place, self._key, _new_claim(name))
        if other is not None:
            raise _busy(place, self._key, other)
        self._acquired = True
        try:
            self.sole_writer = self._check_others(shards)
        except BaseException:
            self.release()
            raise

    def _check_others(self, shards: range | None) -> bool:
        """Refuse overlapping locks, remove those of dead owners; True if there is no other."""
        sole_writer = True
        for key in self._place.names():
            if not is_lock(key) or key == self._key:
                continue
            try:
                other = _parse(self._place.read(key))
            except FileNotFoundError:
                continue  # released since the listing
            if other.owner.gone:
                self._place.remove(key)
                continue
            sole_writer = False
            if overlap(shards, key):
                raise _busy(self._place, key, other)
        return sole_writer

    def release(self) -> None:
        """Remove the object; harmless when called twice."""
        if self._acquired:
            self._acquired = False
            self._place.remove(self._key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _busy(place: LockObjects, key: str, other: _Claim) -> StoreBusyError:
    return StoreBusyError(
        f"{place}: {other.owner} is writing to this store: wait for it to end and run again, or "
        f"delete {place.at(key)} if it no longer runs"
    )
