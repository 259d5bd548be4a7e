"""An open local file: read into memory, or mapped where the page cache already holds it.

Copying from mapped memory is twice as fast as `read`. But a disk error or a truncated file raises
SIGBUS there, which kills the process. So only bytes in the page cache are read through the map;
all others go through `preadv`, whose errors can be handled. A short window remains between the
check and the copy, in which the kernel may evict the pages, or another process truncate the
file: what `bus_error` then says is all that can be done.
"""

import errno
import itertools
import mmap
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from . import bus_error
from .parts import Bytes, Span

_MAX_VECTORS = 1024  # of one call to the kernel
_NO_WAIT = getattr(os, "RWF_NOWAIT", 0)  # Linux
_BYTE = [bytearray(1)]  # scratch, never read


def open_regular(path: Path) -> int:
    """Descriptor of a regular file, for reading: a pipe would block for ever, a device never end.

    Raises:
        OSError: there is none, it may not be read, or it is something else.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor


class LocalFile:
    """A file opened for reading; closed when no longer referenced."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises: OSError."""
        self._descriptor = -1
        self._descriptor = open_regular(path)
        self._state = self._stat()
        self.size = self._state[0]
        self._memory: Bytes | None = None
        self._mappable = bool(_NO_WAIT)

    # As a default, because at the end of a program modules lose their names before objects go.
    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self._descriptor >= 0:
            close(self._descriptor)

    def _stat(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns

    def changed(self) -> bool:
        return self._stat() != self._state

    def gather(self, ends: Sequence[int], size: int) -> bytes:
        if _NO_WAIT and ends:
            try:
                os.preadv(self._descriptor, _BYTE, ends[0] - 1, _NO_WAIT)
            except OSError:  # not in the page cache: ask for all at once, then wait
                for end in ends:
                    os.posix_fadvise(self._descriptor, end - size, size, os.POSIX_FADV_WILLNEED)
        gathered = b"".join([os.pread(self._descriptor, size, end - size) for end in ends])
        if len(gathered) != size * len(ends):
            raise ValueError("the file is cut off")
        return gathered

    def read(self, spans: Sequence[Span]) -> None:
        for span in spans:
            if len(span.parts) > _MAX_VECTORS:
                self.read(list(_cut(span)))
                continue
            count = os.preadv(self._descriptor, span.parts, span.offset)
            if count != span.bytes:
                raise ValueError(f"the file is cut off at {span.offset + count} bytes")

    def memory(self, ends: Sequence[range]) -> Bytes | None:
        if not self._mappable:
            return None
        try:
            # Only the last byte of each chunk: a chunk is always read as a whole.
            for end in itertools.chain.from_iterable(ends):
                if os.preadv(self._descriptor, _BYTE, end - 1, _NO_WAIT) != 1:
                    return None  # the file has become shorter
        except BlockingIOError:
            return None
        except OSError:  # not supported here, or a disk error, which `read` will raise
            self._mappable = False
            return None
        if self._memory is None:
            self._map()
        return self._memory

    def _map(self) -> None:
        bus_error.explain()
        try:
            mapped = mmap.mmap(self._descriptor, self.size, prot=mmap.PROT_READ)
        except (OSError, ValueError):  # out of address space, or a truncated file
            self._mappable = False
        else:
            self._memory = np.frombuffer(mapped, np.uint8)


def _cut(span: Span) -> Iterator[Span]:
    """The same span in pieces that one call accepts."""
    offset = span.offset
    for first in range(0, len(span.parts), _MAX_VECTORS):
        piece = Span(offset, span.parts[first : first + _MAX_VECTORS])
        yield piece
        offset += piece.bytes
