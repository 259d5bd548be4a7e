"""A store in an object store: S3, Google Cloud, Azure, through obstore addresses.

An object is put whole or not at all and is durable once the put is answered, which is what temp
file, sync and rename give in a folder. Whoever puts an object on condition that there is none is
alone: the lock is such an object (`store.remote_lock`).
"""

import contextlib
import errno
import functools
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa

from ...common.atomic import Buffer
from ...common.errors import StoreError
from ...common.lock import Held
from .parts import Bytes, PartReader, Span
from .place import File, Staged

_RETRIES = {"max_retries": 5}
"""With growing pauses; a failure that lasts is the user's to know."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small object."""

    data: bytes
    tag: str
    """Changes with the content."""


class RemotePlace:
    """A folder of an object store."""

    def __init__(self, address: str) -> None:
        """Find the object store by `address`, such as `s3://bucket/folder`.

        Keys, region and endpoint come from the environment (`AWS_ACCESS_KEY_ID`,
        `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP` ...). `memory://name` is one for this process alone.

        Raises:
            StoreError: the extra `remote` is not installed, or no such kind of address.
        """
        self.path = address.rstrip("/")
        self.objects = _objects(self.path)

    def __str__(self) -> str:
        return self.path

    def at(self, name: str) -> str:
        return f"{self.path}/{name}"

    def read(self, name: str) -> bytes:
        with _os_errors():
            return bytes(self.objects.get(name).bytes())

    def size(self, name: str) -> int | None:
        try:
            with _os_errors():
                return int(self.objects.head(name)["size"])
        except FileNotFoundError:
            return None

    def names(self, folder: str = "") -> tuple[str, ...]:
        with _os_errors():
            found = self.objects.list(prefix=folder or None).collect()
        return tuple(sorted(str(item["path"]) for item in found))

    def open(self, name: str) -> PartReader:
        return RemoteFile(self, name)

    def arrow(self, name: str) -> Any:  # noqa: ANN401  as in Place
        return pa.PythonFile(_Stream(RemoteFile(self, name)), mode="r")

    def write(self, name: str, parts: Iterable[Buffer]) -> None:
        with self.store_errors():
            # In parts as they come: an upload that is not completed never becomes an object.
            self.objects.put(name, map(bytes, parts))

    def stage(self, files: Iterable[File], record: File) -> Staged:
        """The files show at once: nobody looks at them before there is a record."""
        for name, parts in files:
            self.write(name, parts)
        name, parts = record
        return Staged((name, list(parts)))

    def publish(self, staged: Sequence[Staged]) -> None:
        for name, parts in cast(Sequence[File], staged):
            self.write(name, parts)

    def put_if(self, name: str, data: bytes, tag: str | None) -> bool:
        """Put an object if there is none, or if the one there has this tag; True if it was.

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

    def fetch(self, name: str) -> Fetched | None:
        """An object with its tag; None if there is none. Raises: StoreError."""
        with self.store_errors():
            try:
                found = self.objects.get(name)
                return Fetched(bytes(found.bytes()), str(found.meta["e_tag"]))
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
        """Nothing: folders come with the objects in them."""

    def stranger(self) -> str | None:
        with self.store_errors():
            tops = {name.partition("/")[0] for name in self.names()}
        return min((name for name in tops if not name.startswith(".")), default=None)

    def tidy(self) -> None:
        """Nothing: what a killed writer left half written is no object."""

    def gate(self) -> AbstractContextManager[None]:
        from .remote_lock import remote_gate

        return remote_gate(self)

    def lock(self, name: str, shards: range | None) -> Held:
        from .remote_lock import RemoteLock

        return RemoteLock(self, name, shards)

    @contextlib.contextmanager
    def store_errors(self) -> Iterator[None]:
        """Turn what goes wrong into one line. Raises: StoreError."""
        try:
            with _os_errors():
                yield
        except OSError as error:
            raise StoreError(
                f"{self.path}: {error.strerror}: check address, credentials and network; what was "
                "committed is safe, run again"
            ) from error


class RemoteFile:
    """An object of which parts are read, several at a time."""

    def __init__(self, place: RemotePlace, name: str) -> None:
        """Ask for its size. Raises: OSError."""
        self._objects, self._name = place.objects, name
        with _os_errors():
            self.size = int(self._objects.head(name)["size"])

    def memory(self, ends: Sequence[range]) -> Bytes | None:
        """None: what is far away is fetched."""
        return None

    def read(self, spans: Sequence[Span]) -> None:
        for span in spans:
            if span.offset + span.bytes > self.size:
                raise ValueError(f"the file is cut off at {self.size} bytes")
        with _os_errors():
            found = self._objects.get_ranges(
                self._name,
                starts=[span.offset for span in spans],
                lengths=[span.bytes for span in spans],
            )
        for span, data in zip(spans, found, strict=True):
            view, start = memoryview(data), 0
            for part in span.parts:
                part[:] = view[start : start + len(part)]
                start += len(part)


class _Stream(io.RawIOBase):
    """A file for pyarrow, which wants to seek."""

    def __init__(self, file: PartReader) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  any writable buffer
        view = memoryview(buffer).cast("B")
        length = max(0, min(len(view), self._file.size - self._at))
        if length:
            self._file.read([Span(self._at, [view[:length]])])
        self._at += length
        return length


def _objects(address: str) -> Any:  # noqa: ANN401  an obstore store
    if address.startswith("memory://"):
        return _memory(address)
    obstore = _library()
    try:
        return obstore.store.from_url(address, retry_config=_RETRIES)
    except Exception as error:  # each kind of store has its own complaints
        raise StoreError(
            f"{address}: is no address of a store ({_reason(error)}): give a folder, or one such "
            "as s3://bucket/folder"
        ) from error


@functools.cache
def _memory(address: str) -> Any:  # noqa: ANN401  an obstore store
    del address  # the same address is the same memory
    return _library().store.MemoryStore()


def _library() -> Any:  # noqa: ANN401  a module
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise StoreError(
            "stores at addresses need obstore: pip install 'latentcomp[remote]'"
        ) from error
    return obstore


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    """Turn the errors of obstore into the OSError that a disk would give."""
    base = _library().exceptions.BaseError
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, f"No such object ({_reason(error)})") from error
    except base as error:
        raise OSError(errno.EIO, _reason(error)) from error


def _reason(error: Exception) -> str:
    """The first sentence of what the object store says, which goes on for a page."""
    text = " ".join(str(error).split("\n\nDebug source:")[0].split())
    return text if len(text) <= 200 else text[:197] + "..."
