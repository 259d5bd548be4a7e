"""One writer at a time: flock on a file that names its owner."""

import contextlib
import errno
import fcntl
import json
import os
import re
import socket
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from .atomic import disk_errors
from .errors import StoreBusyError, StoreError

LOCK = ".lock"
MUTEX = ".gate"
"""Object that replaces `folder_mutex` in object stores, which cannot lock a folder."""
_MAX_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a lock."""

    name: str
    """Command, such as `latentcomp extract`."""
    pid: int
    host: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid} on {self.host})"

    @property
    def gone(self) -> bool:
        """True if it ran on this machine and has ended."""
        if self.host != socket.gethostname() or not 0 < self.pid < 2**31:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


@contextlib.contextmanager
def folder_mutex(folder: Path) -> Iterator[None]:
    """Held by one process at a time, to prepare or seal the store in `folder`; leaves no file.

    Raises:
        StoreError: the folder does not exist or may not be opened.
    """
    with disk_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Some network file systems cannot lock a folder; there, writers must be started in turn.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class LockHandle(Protocol):
    """A lock that has been acquired."""

    sole_writer: bool
    """True if no other process held a lock of the store when this one was acquired."""

    def release(self) -> None:
        """Release the lock; harmless when called twice."""


class Lock:
    """Exclusive lock on shards of a store; the lock of a dead owner is taken over.

    Exclusion is by flock, which the kernel releases when a process is killed. The content of the
    file only names the owner, for messages.
    """

    def __init__(self, folder: Path, name: str, shards: range | None = None) -> None:
        """Acquire the lock of `folder`.

        Args:
            folder: of the store; hold its `folder_mutex` if several writers may start at once.
            name: command that writes, such as `latentcomp extract`.
            shards: which shards it will write; None for all.

        Raises:
            StoreError: a live process holds some of the same shards; the message has its name
                and pid.
        """
        self.path = folder / part_name(shards)
        self.sole_writer = self._check_others(shards)
        with disk_errors(self.path):
            for _ in range(_MAX_ATTEMPTS):
                descriptor = _open(self.path, os.O_CREAT)
                if self._try_flock(descriptor):
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

    def _check_others(self, shards: range | None) -> bool:
        """Refuse overlapping locks, remove those of dead owners; True if there is no other."""
        sole_writer = True
        for other in self.path.parent.glob(f"{LOCK}*"):
            if other == self.path or not is_lock(other.name):
                continue
            with disk_errors(other):
                try:
                    descriptor = _open(other, 0)
                except FileNotFoundError:  # released since the listing
                    continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                other.unlink(missing_ok=True)
            except BlockingIOError:
                sole_writer = False
                if overlap(shards, other.name):
                    raise self._busy(self._owner(descriptor)) from None
            finally:
                os.close(descriptor)
        return sole_writer

    def _try_flock(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._owner(descriptor)
            if owner.gone:  # a child that it forked still has the descriptor
                self.path.unlink(missing_ok=True)
                return False
            os.close(descriptor)
            raise self._busy(owner) from None
        # The owner may have ended and removed the file between open and flock.
        try:
            return os.fstat(descriptor).st_ino == self.path.stat().st_ino
        except FileNotFoundError:
            return False

    def _busy(self, owner: Owner) -> StoreBusyError:
        return StoreBusyError(
            f"{self.path.parent}: {owner} is writing to this store: "
            "wait for it to end, or stop it, and run again"
        )

    def _owner(self, descriptor: int) -> Owner:
        try:
            owner = json.loads(os.pread(descriptor, 4096, 0))
            return Owner(str(owner["name"]), int(owner["pid"]), str(owner["host"]))
        except (ValueError, KeyError, TypeError):
            return Owner("another process", 0, "an unknown host")

    def release(self) -> None:
        """Remove the file and release the flock; harmless when called twice."""
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


def _open(path: Path, flags: int) -> int:
    """Open a lock file, and never what a link of that name points at.

    Raises:
        StoreError: it is no regular file.
        FileNotFoundError: there is none, and none is to be made.
        OSError: it may not be opened.
    """
    safe = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, safe | flags, 0o644)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return descriptor


def _no_file(path: Path) -> StoreError:
    return StoreError(f"{path}: is a link or no regular file, so no lock: remove it, run again")


def is_lock(name: str) -> bool:
    """True for the name of the lock of some or all shards."""
    return re.fullmatch(rf"{re.escape(LOCK)}(\.\d{{1,18}}-\d{{1,18}})?", name) is not None


def part_name(shards: range | None) -> str:
    """Name of the lock file of some shards; None: of all shards."""
    return LOCK if shards is None else f"{LOCK}.{shards.start}-{shards.stop}"


def overlap(shards: range | None, name: str) -> bool:
    """True if the lock file `name` covers one of these shards; None: all shards."""
    part = name.removeprefix(f"{LOCK}.")
    if shards is None or part == name:
        return True
    start, _, stop = part.partition("-")
    return shards.start < int(stop) and int(start) < shards.stop
