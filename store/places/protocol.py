"""Where the bytes of a store lie: one interface for local folders and object stores.

The rest of the package names files relative to the store and reads and writes them through a
`Place`. Durability, locking and partial reads differ and are implemented by `local.LocalPlace`
and `remote.RemotePlace`; `open.place_of` chooses one by address.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType, Protocol

from ...common.atomic import Buffer
from ...common.errors import StoreError
from ...common.lock import LockHandle
from .parts import PartReader

File = tuple[str, Iterable[Buffer]]
"""Name and content."""
Staged = NewType("Staged", object)
"""Result of `Place.stage`, to be passed to `Place.publish` of the same place."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as a listing of its folder shows it."""

    name: str
    """Relative to the store."""
    bytes: int
    stamp: str
    """Another one whenever the file was written again, whatever its content."""
    changed: float
    """Seconds since 1970 of the last change, as the place tells them."""


class Place(Protocol):
    """The files of one store, by their name relative to it, with forward slashes."""

    readers: int
    """Small files that are best read at once."""

    def __str__(self) -> str:
        """Folder or address, for messages."""

    @property
    def path(self) -> Path | str:
        """Argument with which `place_of` reopens this place, also in another process."""

    def at(self, name: str) -> str:
        """Path or address of a file, for messages."""

    def read(self, name: str) -> bytes:
        """A whole file. Raises: OSError, FileNotFoundError if there is none."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none. Raises: OSError."""

    def names(self, folder: str = "") -> tuple[str, ...]:
        """Every file at any depth below `folder`, sorted. Raises: OSError."""

    def listing(self, folder: str) -> Iterator[Listed]:
        """The files of a folder without folders, in any order, a few at a time; none if there is
        no such folder: a thousand files cost one question. Raises: OSError."""

    def open(self, name: str) -> PartReader:
        """Open a file for reading parts of it. Raises: OSError."""

    def arrow(self, name: str) -> Any:  # noqa: ANN401  a path or a pyarrow.NativeFile
        """Source from which pyarrow reads parts of a file. Raises: OSError."""

    def write(self, name: str, parts: Iterable[Buffer]) -> None:
        """Write a file atomically and durably. Raises: StoreError."""

    def stage(self, files: Iterable[File], record: File) -> Staged:
        """Write files, then the record that lists them; its parts are iterated last.

        The record becomes visible only in `publish`; the files may become visible earlier.

        Raises:
            StoreError: the disk is full and so on.
        """

    def publish(self, staged: Sequence[Staged]) -> None:
        """Make staged files durable and visible; each record only after its files are durable.

        Raises:
            StoreError: the disk fails and so on; then none of `staged` may be published again.
        """

    def remove(self, *names: str) -> None:
        """Remove files durably; missing ones are ignored. Raises: StoreError."""

    def remove_folder(self, folder: str) -> None:
        """Remove a folder and its contents. Raises: StoreError."""

    def prepare(self) -> None:
        """Create the folder of the store, if folders exist here. Raises: StoreError."""

    def visible_entry(self) -> str | None:
        """Name of one top-level entry that is not hidden, None if empty. Raises: StoreError."""

    def remove_partials(self) -> None:
        """Remove the temporary files of killed writers. Raises: StoreError."""

    def mutex(self) -> AbstractContextManager[None]:
        """Held by one process at a time, to prepare or seal the store. Raises: StoreError."""

    def lock(self, name: str, shards: range | None) -> LockHandle:
        """Take the exclusive lock on some or all shards; see `common.lock`. Raises: StoreError."""


def exists(place: Place, name: str) -> bool:
    """True if there is such a file. Raises: OSError."""
    return place.size(name) is not None


class UnreachableError(OSError):
    """An object store that does not answer, or refuses to."""

    step = "check address, credentials and network"
    """What to do, for messages."""


@contextlib.contextmanager
def reading(place: Place) -> Iterator[None]:
    """Turn an OSError into one line that says what to do. Raises: StoreError."""
    try:
        yield
    except OSError as error:
        step = "choose a folder that you may use"
        if isinstance(error, UnreachableError):
            step = f"{error.step} and run again"
        raise StoreError(f"{place}: cannot be read ({error.strerror or error}): {step}") from error
