"""A store in an object store: S3, Google Cloud, Azure, through obstore.

A put is atomic and durable once it is acknowledged, which takes the place of temporary file,
fsync and rename. Locks are objects created by a conditional put (`remote_lock`).
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import pyarrow as pa

from ...common.atomic import Buffer
from ...common.errors import StoreError
from ...common.lock import LockHandle
from .object_store import connect, os_errors
from .parts import PartReader
from .protocol import File, Listed, Staged
from .remote_file import RemoteFile, SeekableStream
from .remote_lock import RemoteLock, TaggedObject, remote_mutex


class RemotePlace:
    """A folder of an object store."""

    readers = 32
    """An answer takes tens of milliseconds, of which nearly all is waiting."""

    def __init__(self, address: str) -> None:
        """Connect to the object store at `address`, such as `s3://bucket/folder`.

        Keys, region and endpoint come from the environment (`AWS_ACCESS_KEY_ID`,
        `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP` ...). `memory://name` is private to this process.

        Raises:
            StoreError: the extra `remote` is not installed, or an address of an unknown kind.
        """
        self.path = address.rstrip("/")
        self.objects = connect(self.path)

    def __str__(self) -> str:
        return self.path

    def at(self, name: str) -> str:
        return f"{self.path}/{name}"

    def read(self, name: str) -> bytes:
        with os_errors():
            return bytes(self.objects.get(name).bytes())

    def size(self, name: str) -> int | None:
        try:
            with os_errors():
                return int(self.objects.head(name)["size"])
        except FileNotFoundError:
            return None

    def names(self, folder: str = "") -> tuple[str, ...]:
        with os_errors():
            listing = self.objects.list(prefix=folder or None).collect()
        return tuple(sorted(str(item["path"]) for item in listing))

    def listing(self, folder: str) -> Iterator[Listed]:
        with os_errors():
            for page in self.objects.list(prefix=folder):
                for item in page:
                    written = item["last_modified"]
                    stamp = f"{item['e_tag']} {item['version']} {item['size']} {written}"
                    yield Listed(str(item["path"]), int(item["size"]), stamp, written.timestamp())

    def open(self, name: str) -> PartReader:
        return RemoteFile(self.objects, name)

    def arrow(self, name: str) -> Any:  # noqa: ANN401  as in Place
        return pa.PythonFile(SeekableStream(RemoteFile(self.objects, name)), mode="r")

    def write(self, name: str, parts: Iterable[Buffer]) -> None:
        with self.store_errors():
            # A multipart upload that is not completed never becomes an object.
            self.objects.put(name, map(bytes, parts))

    def stage(self, files: Iterable[File], record: File) -> Staged:
        """The files are visible at once, but nothing reads them before their record exists."""
        for name, parts in files:
            self.write(name, parts)
        name, parts = record
        return Staged((name, list(parts)))

    def publish(self, staged: Sequence[Staged]) -> None:
        for name, parts in cast(Sequence[File], staged):
            self.write(name, parts)

    def put_if(self, name: str, data: bytes, tag: str | None) -> bool:
        """Conditional put, for locks.

        Args:
            name: of the object.
            data: its new content.
            tag: put only if the existing object has this tag; None: only if there is no object.

        Returns:
            True if the object was put.

        Raises:
            StoreError: the object store fails.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode = "create" if tag is None else {"e_tag": tag}
        with self.store_errors():
            try:
                self.objects.put(name, data, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def fetch(self, name: str) -> TaggedObject | None:
        """An object with its tag; None if there is none. Raises: StoreError."""
        with self.store_errors():
            try:
                result = self.objects.get(name)
                return TaggedObject(bytes(result.bytes()), str(result.meta["e_tag"]))
            except FileNotFoundError:
                return None

    def remove(self, *names: str) -> None:
        with self.store_errors():
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    self.objects.delete(name)

    def remove_folder(self, folder: str) -> None:
        with self.store_errors():
            self.remove(*self.names(folder))

    def prepare(self) -> None:
        """Nothing to do: an object store has no folders to create."""

    def visible_entry(self) -> str | None:
        with self.store_errors():
            tops = {name.partition("/")[0] for name in self.names()}
        return min((name for name in tops if not name.startswith(".")), default=None)

    def remove_partials(self) -> None:
        """Nothing to do: an incomplete upload is no object."""

    def mutex(self) -> AbstractContextManager[None]:
        return remote_mutex(self)

    def lock(self, name: str, shards: range | None) -> LockHandle:
        return RemoteLock(self, name, shards)

    @contextlib.contextmanager
    def store_errors(self) -> Iterator[None]:
        """Turn errors of the object store into one line. Raises: StoreError."""
        try:
            with os_errors():
                yield
        except OSError as error:
            raise StoreError(
                f"{self.path}: {error.strerror}: check address, credentials and network; what was "
                "committed is safe, run again"
            ) from error
