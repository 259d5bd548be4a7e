"""An object opened for reading parts of it."""

import io
from collections.abc import Sequence
from typing import Any

from .object_store import os_errors
from .parts import Bytes, PartReader, Span


class RemoteFile:
    """An object; the spans of one `read` are fetched concurrently."""

    def __init__(self, objects: Any, name: str) -> None:  # noqa: ANN401  an obstore store
        """Request the size of object `name`. Raises: OSError."""
        self._objects, self._name = objects, name
        with os_errors():
            self.size = int(objects.head(name)["size"])

    def gather(self, ends: Sequence[int], size: int) -> bytes | None:
        """None: a request each."""
        return None

    def changed(self) -> bool:
        """False: it is not asked for every read; chunks of objects are checked on every one."""
        return False

    def memory(self, ends: Sequence[range]) -> Bytes | None:
        """None: a remote object is never in the page cache."""
        return None

    def read(self, spans: Sequence[Span]) -> None:
        for span in spans:
            if span.offset + span.bytes > self.size:
                raise ValueError(f"the file is cut off at {self.size} bytes")
        with os_errors():
            contents = self._objects.get_ranges(
                self._name,
                starts=[span.offset for span in spans],
                lengths=[span.bytes for span in spans],
            )
        for span, data in zip(spans, contents, strict=True):
            view, start = memoryview(data), 0
            for part in span.parts:
                part[:] = view[start : start + len(part)]
                start += len(part)


class SeekableStream(io.RawIOBase):
    """A Python file object over a `PartReader`, because pyarrow needs one that can seek."""

    def __init__(self, file: PartReader) -> None:
        """Start at the beginning of `file`."""
        self._file, self._position = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}
        self._position = origins[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  any writable buffer
        view = memoryview(buffer).cast("B")
        length = max(0, min(len(view), self._file.size - self._position))
        if length:
            self._file.read([Span(self._position, [view[:length]])])
        self._position += length
        return length
