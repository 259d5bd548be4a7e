"""Where the bytes of a store lie: one interface for a folder here and for an object store.

Everything else in this package asks a `Place` for files by their name within the store. What
differs (how a file becomes durable, how a writer is alone, how a part is read) is in its two
kinds: `LocalPlace` below and `store.remote.RemotePlace`.
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NewType, Protocol, cast

from ...common.atomic import (
    Buffer,
    StagedFiles,
    disk_errors,
    make_folder,
    publish,
    remove_partials,
    sync_folder,
    write_parts,
)
from ...common.errors import StoreError
from ...common.lock import Held, Lock, gate
from .local_file import LocalFile
from .parts import PartReader

File = tuple[str, Iterable[Buffer]]
"""Name and content."""
Staged = NewType("Staged", object)
"""What `Place.stage` gives, for `Place.publish` of the same place."""


class Place(Protocol):
    """The files of one store, by their name relative to it, with forward slashes."""

    def __str__(self) -> str:
        """Folder or address, for messages."""

    @property
    def path(self) -> Path | str:
        """What `place_of` makes this place of again, in another process too."""

    def at(self, name: str) -> str:
        """Path or address of a file, for messages."""

    def read(self, name: str) -> bytes:
        """A whole file. Raises: OSError, FileNotFoundError if there is none."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none. Raises: OSError."""

    def names(self, folder: str = "") -> tuple[str, ...]:
        """Every file at any depth below `folder`, sorted. Raises: OSError."""

    def open(self, name: str) -> PartReader:
        """A file to read parts of. Raises: OSError."""

    def arrow(self, name: str) -> Any:  # noqa: ANN401  a path or a pyarrow.NativeFile
        """A file for pyarrow to read parts of. Raises: OSError."""

    def write(self, name: str, parts: Iterable[Buffer]) -> None:
        """Write a file, whole and durable or not at all. Raises: StoreError."""

    def stage(self, files: Iterable[File], record: File) -> Staged:
        """Write files and the record that says they are there, whose parts are asked for last.
        The record shows only when it is published; the files may before. Raises: StoreError.
        """

    def publish(self, staged: Sequence[Staged]) -> None:
        """Make what was staged here durable and let it show, every record when its files are
        durable. Raises: StoreError; then nothing of it may be published again.
        """

    def remove(self, *names: str) -> None:
        """Remove files durably; those that are gone already do not matter. Raises: StoreError."""

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with what is in it. Raises: StoreError."""

    def prepare(self) -> None:
        """Make the place itself. Raises: StoreError."""

    def stranger(self) -> str | None:
        """Name of something here that is no hidden file, if anything. Raises: StoreError."""

    def tidy(self) -> None:
        """Remove what killed writers left half written. Raises: StoreError."""

    def gate(self) -> AbstractContextManager[None]:
        """Lets one process at a time prepare or seal the store. Raises: StoreError."""

    def lock(self, name: str, shards: range | None) -> Held:
        """The exclusive lock on some or all shards; see `store.lock`. Raises: StoreError."""


def place_of(path: Path | str | Place) -> Place:
    """The place of a store.

    Args:
        path: a folder, a `file://` address, or that of an object store such as
            `s3://bucket/folder`, which needs the extra `remote`.

    Raises:
        StoreError: an address of an unknown kind, or the extra is not installed.
    """
    if isinstance(path, Path):
        return LocalPlace(path)
    if not isinstance(path, str):
        return path
    kind, separator, rest = path.partition("://")
    if not separator:
        return LocalPlace(Path(path))
    if kind == "file":
        return LocalPlace(Path(rest))
    from .remote import RemotePlace

    return RemotePlace(path)


class LocalPlace:
    """A folder of a file system."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read or made yet."""
        self.path = folder

    def __str__(self) -> str:
        return str(self.path)

    def at(self, name: str) -> str:
        return str(self.path / name)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def size(self, name: str) -> int | None:
        try:
            return (self.path / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, folder: str = "") -> tuple[str, ...]:
        below = (self.path / folder).rglob("*")
        found = (path.relative_to(self.path).as_posix() for path in below if path.is_file())
        return tuple(sorted(found))

    def open(self, name: str) -> PartReader:
        return LocalFile(self.path / name)

    def arrow(self, name: str) -> Any:  # noqa: ANN401  as in Place
        return str(self.path / name)

    def write(self, name: str, parts: Iterable[Buffer]) -> None:
        write_parts(self.path / name, parts)

    def stage(self, files: Iterable[File], record: File) -> Staged:
        groups = (files, [record])
        return Staged(
            StagedFiles([(self.path / name, parts) for name, parts in group] for group in groups)
        )

    def publish(self, staged: Sequence[Staged]) -> None:
        publish(cast(Sequence[StagedFiles], staged))

    def remove(self, *names: str) -> None:
        with disk_errors(self.path):
            for name in names:
                (self.path / name).unlink(missing_ok=True)
            for folder in {(self.path / name).parent for name in names}:
                sync_folder(folder)

    def remove_folder(self, folder: str) -> None:
        with disk_errors(self.path / folder):
            if (self.path / folder).exists():
                shutil.rmtree(self.path / folder)

    def prepare(self) -> None:
        make_folder(self.path)

    def stranger(self) -> str | None:
        if self.path.is_file():
            raise StoreError(
                f"{self.path}: is a file, so it is no feature store: choose an empty folder"
            )
        with disk_errors(self.path):
            names = [item.name for item in self.path.iterdir()] if self.path.is_dir() else []
        return min((name for name in names if not name.startswith(".")), default=None)

    def tidy(self) -> None:
        remove_partials(self.path)

    def gate(self) -> AbstractContextManager[None]:
        return gate(self.path)

    def lock(self, name: str, shards: range | None) -> Held:
        return Lock(self.path, name, shards)


def exists(place: Place, name: str) -> bool:
    """True if there is such a file. Raises: OSError."""
    return place.size(name) is not None


@contextlib.contextmanager
def reading(place: Place) -> Iterator[None]:
    """Turn an OSError into one line that says what to do. Raises: StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{place}: cannot be read ({error.strerror or error}): choose a folder that you may use"
        ) from error
