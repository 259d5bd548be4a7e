"""One writer at a time: a lock file that names its owner and dies with it."""

import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import StoreError
from .atomic import disk_errors

_TRIES = 10


@dataclass(frozen=True, slots=True)
class _Owner:
    name: str
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


class Lock:
    """Exclusive lock on a file, gone at the end; a dead owner's lock is taken over.

    The kernel's flock is what excludes, so a killed process leaves nothing that could block; the
    file's content only tells who it is.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Take the lock at `path` in the name of `name`, such as `latentcomp extract`.

        Raises:
            StoreError: another live process holds it; the message has its name and pid.
        """
        self.path = path
        with disk_errors(path):
            for _ in range(_TRIES):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                if self._grab(descriptor):
                    break
                os.close(descriptor)
            else:
                raise StoreError(f"{path}: could not be locked: run again")
            owner = _Owner(name, os.getpid(), socket.gethostname())
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
        self._descriptor: int | None = descriptor

    def _grab(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._owner(descriptor)
            if owner.gone:  # a child that it forked still holds the descriptor
                self.path.unlink(missing_ok=True)
                return False
            os.close(descriptor)
            raise StoreError(
                f"{self.path.parent}: {owner} is writing to this store: "
                "wait for it to end, or stop it, and run again"
            ) from None
        # Between open and flock the owner may have ended and removed the file.
        try:
            return os.fstat(descriptor).st_ino == self.path.stat().st_ino
        except FileNotFoundError:
            return False

    def _owner(self, descriptor: int) -> "_Owner":
        try:
            owner = json.loads(os.pread(descriptor, 4096, 0))
            return _Owner(str(owner["name"]), int(owner["pid"]), str(owner["host"]))
        except (ValueError, KeyError, TypeError):
            return _Owner("another process", 0, "an unknown host")

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
