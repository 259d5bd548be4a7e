"""One writer at a time where there is no flock: objects that are put only if there is none.

An object does not die with its owner. A lock whose owner ran on this machine and runs no more is
taken over; one of another machine must be removed by a person who knows that the writer is gone.
"""

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

from ...common.errors import StoreBusyError
from ...common.lock import GATE, LOCK, Owner, overlap, part_name

if TYPE_CHECKING:
    from .remote import RemotePlace

_PATIENCE: Final = 60.0
_PAUSE: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a lock object says."""

    name: str
    pid: int
    host: str
    token: str
    """Of this very claim: a put that was answered twice is still ours."""

    @property
    def owner(self) -> Owner:
        return Owner(self.name, self.pid, self.host)


def _claim(place: "RemotePlace", key: str, mine: _Claim) -> _Claim | None:
    """Put `key` in our name unless a living process has it, which is returned then."""
    content = json.dumps(asdict(mine)).encode()
    tag: str | None = None
    while not place.put_if(key, content, tag):
        found = place.fetch(key)
        if found is None:  # its owner has just ended
            tag = None
            continue
        other = _parsed(found.data)
        if other.token == mine.token:
            return None
        if not other.owner.gone:
            return other
        # Only if it is still that of the dead: of several that see it, one takes it over.
        tag = found.tag
    return None


def _parsed(data: bytes) -> _Claim:
    try:
        found = json.loads(data)
        return _Claim(
            str(found["name"]), int(found["pid"]), str(found["host"]), str(found["token"])
        )
    except (ValueError, KeyError, TypeError):
        return _Claim("another process", 0, "an unknown host", "")


def _mine(name: str) -> _Claim:
    return _Claim(name, os.getpid(), socket.gethostname(), uuid.uuid4().hex)


@contextlib.contextmanager
def remote_gate(place: "RemotePlace") -> Iterator[None]:
    """Let one process at a time prepare or seal the store.

    Raises:
        StoreError: another one has been at it for a minute.
    """
    mine = _mine("a writer")
    end = time.monotonic() + _PATIENCE
    while (other := _claim(place, GATE, mine)) is not None:
        if time.monotonic() > end:
            raise _refusal(place, GATE, other)
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        place.remove(GATE)


class RemoteLock:
    """The lock on some or all shards, by an object that names its owner."""

    def __init__(self, place: "RemotePlace", name: str, shards: range | None) -> None:
        """Take it in the name of `name`.

        First the own object, then a look at the others: of two that overlap at least one sees
        the other, so never do both write.

        Raises:
            StoreBusyError: a process that may live holds some of the same shards.
            StoreError: the object store fails.
        """
        self._place, self._key = place, part_name(shards)
        self._held = False
        other = _claim(place, self._key, _mine(name))
        if other is not None:
            raise _refusal(place, self._key, other)
        self._held = True
        try:
            self.alone = self._look_around(shards)
        except BaseException:
            self.release()
            raise

    def _look_around(self, shards: range | None) -> bool:
        alone = True
        for key in self._place.names():
            if not key.startswith(LOCK) or key == self._key:
                continue
            try:
                other = _parsed(self._place.read(key))
            except FileNotFoundError:
                continue  # it has just ended
            if other.owner.gone:
                self._place.remove(key)
                continue
            alone = False
            if overlap(shards, key):
                raise _refusal(self._place, key, other)
        return alone

    def release(self) -> None:
        """Remove the object; harmless when done twice."""
        if self._held:
            self._held = False
            self._place.remove(self._key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _refusal(place: "RemotePlace", key: str, other: _Claim) -> StoreBusyError:
    return StoreBusyError(
        f"{place}: {other.owner} is writing to this store: wait for it to end and run again, or "
        f"delete {place.at(key)} if it no longer runs"
    )
