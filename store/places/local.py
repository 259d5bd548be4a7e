"""A store in a folder of a file system: temporary files, fsync, rename, flock."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

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
from ...common.lock import Lock, LockHandle, folder_mutex
from .local_file import LocalFile, open_regular
from .parts import PartReader
from .protocol import File, Listed, Staged


class LocalPlace:
    """A folder of a file system."""

    readers = 1

    def __init__(self, folder: Path) -> None:
        """Refer to `folder`; nothing is read or created yet."""
        self.path = folder

    def __str__(self) -> str:
        return str(self.path)

    def at(self, name: str) -> str:
        return str(self.path / name)

    def _inside(self, name: str) -> Path:
        """Path of a file of the store. Raises: OSError: the name leads out of the store."""
        if name.startswith("/") or ".." in name.split("/") or "\0" in name:
            raise OSError(errno.EINVAL, "its name leads out of the store", name)
        return self.path / name

    def read(self, name: str) -> bytes:
        with os.fdopen(open_regular(self._inside(name)), "rb", buffering=0) as file:
            return file.readall()

    def size(self, name: str) -> int | None:
        try:
            return self._inside(name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise StoreError(
                f"{self.at(name)}: is a link to itself: put the file in its place"
            ) from error

    def names(self, folder: str = "") -> tuple[str, ...]:
        below = (self.path / folder).rglob("*")
        files = (path.relative_to(self.path).as_posix() for path in below if path.is_file())
        return tuple(sorted(files))

    def listing(self, folder: str) -> Iterator[Listed]:
        try:
            entries = os.scandir(self.path / folder)
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except FileNotFoundError:  # removed since
                    continue
                # ctime cannot be set back, as mtime is where a file is restored.
                times = f"{status.st_mtime_ns}.{status.st_ctime_ns}"
                stamp = f"{status.st_ino}.{status.st_size}.{times}"
                yield Listed(f"{folder}/{entry.name}", status.st_size, stamp, status.st_ctime)

    def open(self, name: str) -> PartReader:
        return LocalFile(self._inside(name))

    def arrow(self, name: str) -> Any:  # noqa: ANN401  as in Place
        path = self._inside(name)
        os.close(open_regular(path))  # Arrow would wait for a pipe
        return str(path)

    def write(self, name: str, parts: Iterable[Buffer]) -> None:
        write_parts(self._inside(name), parts)

    def stage(self, files: Iterable[File], record: File) -> Staged:
        groups = (files, [record])
        return Staged(
            StagedFiles([(self._inside(name), parts) for name, parts in group] for group in groups)
        )

    def publish(self, staged: Sequence[Staged]) -> None:
        publish(cast(Sequence[StagedFiles], staged))

    def remove(self, *names: str) -> None:
        with disk_errors(self.path):
            for name in names:
                self._inside(name).unlink(missing_ok=True)
            for folder in {self._inside(name).parent for name in names}:
                sync_folder(folder)

    def remove_folder(self, folder: str) -> None:
        with disk_errors(self.path / folder):
            if (self.path / folder).is_symlink():
                raise StoreError(f"{self.path / folder}: is a link: remove it, and run again")
            if (self.path / folder).exists():
                shutil.rmtree(self.path / folder)

    def prepare(self) -> None:
        make_folder(self.path)

    def visible_entry(self) -> str | None:
        if self.path.is_file():
            raise StoreError(
                f"{self.path}: is a file, so it is no feature store: choose an empty folder"
            )
        with disk_errors(self.path):
            names = [item.name for item in self.path.iterdir()] if self.path.is_dir() else []
        return min((name for name in names if not name.startswith(".")), default=None)

    def remove_partials(self) -> None:
        remove_partials(self.path)

    def mutex(self) -> AbstractContextManager[None]:
        return folder_mutex(self.path)

    def lock(self, name: str, shards: range | None) -> LockHandle:
        return Lock(self.path, name, shards)
