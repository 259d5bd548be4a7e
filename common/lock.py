"""One writer at a time: a lock file that names its owner and dies with it."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from .atomic import disk_errors
from .errors import StoreBusyError, StoreError

LOCK = ".lock"
GATE = ".gate"
"""Object that does what `gate` does, where folders cannot be locked."""
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Owner:
    """Who writes."""

    name: str
    """Such as `latentcomp extract`."""
    pid: int
    host: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid} on {self.host})"

    @property
    def gone(self) -> bool:
        """True if it ran on this machine and runs no more."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


@contextlib.contextmanager
def gate(folder: Path) -> Iterator[None]:
    """Let one process at a time prepare or seal the store in `folder`; leaves no file behind.

    Raises:
        StoreError: the folder is gone or closed to us.
    """
    with disk_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Some network file systems cannot lock a folder; there, writers start one by one.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Held(Protocol):
    """A lock that is held."""

    alone: bool
    """True if no other process was writing to the store when this lock was taken."""

    def release(self) -> None:
        """Let go; harmless when done twice."""


class Lock:
    """Exclusive lock on shards of a store, gone at the end; a dead owner's lock is taken over.

    The kernel's flock is what excludes, so a killed process leaves nothing that could block; the
    file's content only tells who it is.
    """

    def __init__(self, folder: Path, name: str, shards: range | None = None) -> None:
        """Take the lock of `folder` in the name of `name`, such as `latentcomp extract`.

        Args:
            folder: of the store; hold its `gate` if several writers may start at once.
            name: who writes.
            shards: what it will write; None for everything.

        Raises:
            StoreError: a live process holds some of the same shards; the message has its name
                and pid.
        """
        self.path = folder / part_name(shards)
        self.alone = self._look_around(shards)
        with disk_errors(self.path):
            for _ in range(_TRIES):
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                if self._grab(descriptor):
                    break
                os.close(descriptor)
            else:
                raise StoreError(f"{self.path}: could not be locked: run again")
            self._descriptor: int | None = descriptor
            try:
                owner = Owner(name, os.getpid(), socket.gethostname())
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
            except OSError:
                self.release()
                raise

    def _look_around(self, shards: range | None) -> bool:
        """Refuse what overlaps; remove what the dead left. True if nobody else is there."""
        alone = True
        for other in self.path.parent.glob(f"{LOCK}*"):
            if other == self.path:
                continue
            with disk_errors(other):
                descriptor = os.open(other, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                other.unlink(missing_ok=True)
            except BlockingIOError:
                alone = False
                if overlap(shards, other.name):
                    raise self._refusal(self._owner(descriptor)) from None
            finally:
                os.close(descriptor)
        return alone

    def _grab(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._owner(descriptor)
            if owner.gone:  # a child that it forked still holds the descriptor
                self.path.unlink(missing_ok=True)
                return False
            os.close(descriptor)
            raise self._refusal(owner) from None
        # Between open and flock the owner may have ended and removed the file.
        try:
            return os.fstat(descriptor).st_ino == self.path.stat().st_ino
        except FileNotFoundError:
            return False

    def _refusal(self, owner: "Owner") -> StoreError:
        return StoreBusyError(
            f"{self.path.parent}: {owner} is writing to this store: "
            "wait for it to end, or stop it, and run again"
        )

    def _owner(self, descriptor: int) -> "Owner":
        try:
            owner = json.loads(os.pread(descriptor, 4096, 0))
            return Owner(str(owner["name"]), int(owner["pid"]), str(owner["host"]))
        except (ValueError, KeyError, TypeError):
            return Owner("another process", 0, "an unknown host")

    def release(self) -> None:
        """Remove the file and let go; harmless when done twice."""
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def part_name(shards: range | None) -> str:
    """Name of the lock of some shards, or of all of them."""
    return LOCK if shards is None else f"{LOCK}.{shards.start}-{shards.stop}"


def overlap(shards: range | None, name: str) -> bool:
    """True if the lock of this name excludes who wants these shards."""
    part = name.removeprefix(f"{LOCK}.")
    if shards is None or part == name:
        return True
    start, _, stop = part.partition("-")
    return shards.start < int(stop) and int(start) < shards.stop
