"""A store in a folder of a file system: temporary files, fsync, rename, flock."""

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

    def read(self, name: str) -> bytes:
        with os.fdopen(open_regular(self.path / name), "rb", buffering=0) as file:
            return file.readall()

    def size(self, name: str) -> int | None:
        try:
            return (self.path / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

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
