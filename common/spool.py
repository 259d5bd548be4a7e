"""Bytes that are written once and read at any place: in memory, on the disk from a size on."""

import os
import tempfile
from typing import IO

from .atomic import disk_errors

IN_MEMORY = 2**26
"""Bytes that are kept in memory."""
_BUFFER = 2**20


class Spool:
    """Appended first, then read; threads may read at once.

    Beyond `IN_MEMORY` bytes it is a temporary file without a name, which goes when it is no longer
    referenced or the process ends, however it ends. TMPDIR says on which disk it lies.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._written = 0

    def append(self, data: bytes) -> None:
        """Add bytes at the end. Raises: StoreError: the disk of temporary files is full."""
        self._memory += data
        if len(self._memory) >= (_BUFFER if self._file else IN_MEMORY):
            self._flush()

    def _flush(self) -> None:
        with disk_errors(f"{tempfile.gettempdir()} (temporary files; TMPDIR names another folder)"):
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  lives with self
            left = memoryview(bytes(self._memory))
            while left:
                left = left[self._file.write(left) :]
        self._written += len(self._memory)
        self._memory.clear()

    def read(self, start: int, size: int) -> bytes:
        """The bytes [start, start + size). Raises: StoreError: the disk fails."""
        if self._file is None or start >= self._written:
            return bytes(self._memory[start - self._written : start - self._written + size])
        if start + size > self._written:
            self._flush()
        with disk_errors(tempfile.gettempdir()):
            data = os.pread(self._file.fileno(), size, start)
            if len(data) != size:
                raise OSError(f"a temporary file was cut off at {start + len(data)} bytes")
        return data
