"""Files that are either whole or absent: temp file, fsync, rename, fsync of the folder."""

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from .errors import StoreError
from .parquet import parquet_bytes

PARTIAL_SUFFIX = ".partial"
"""Suffix of every temporary file, by which those of killed runs are recognised."""

Buffer = bytes | bytearray | memoryview

_BLOCK = 2 * 2**20
"""Bytes of one write. The page cache keeps a file in folios as large as the writes, if those begin
at multiples of a power of two, and mapped memory is faulted in folio by folio."""
_MAX_VECTORS = 1024  # IOV_MAX

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM}
_IN_THE_WAY = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


@contextlib.contextmanager
def disk_errors(path: Path | str) -> Iterator[None]:
    """Turn an OSError on `path` into one line that says what to do.

    Raises:
        StoreError: the disk is full, the folder is read-only, a file is in the way, and so on.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            text = f"the disk is full ({reason}); what was committed is safe: free space, run again"
        elif error.errno in _DENIED:
            text = f"cannot write here ({reason}): choose a folder that you may write to"
        elif error.errno in _IN_THE_WAY:
            text = f"a file is in the way of a folder ({reason}): choose another path"
        else:
            text = f"{reason}: {getattr(error, 'step', 'check the disk')} and run again"
        raise StoreError(f"{path}: {text}") from error


def make_folder(path: Path) -> None:
    """Create `path` with its parents.

    Raises:
        StoreError: the folder cannot be created.
    """
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def write_parts(path: Path, parts: Iterable[Buffer]) -> None:
    """Write the buffers one after another as one file, atomically and durably.

    Raises:
        StoreError: the disk is full, the folder is read-only, and so on; `path` is untouched.
    """
    publish([StagedFiles([[(path, parts)]])])


class StagedFiles:
    """Completely written temporary files that are not visible yet and may not be durable.

    They come in groups: those of a group become visible when all earlier groups are durable.
    """

    def __init__(self, groups: Iterable[Iterable[tuple[Path, Iterable[Buffer]]]]) -> None:
        """Write the temporary files in order; parts are iterated lazily.

        Raises:
            StoreError: the disk is full and so on; all temporary files are removed.
        """
        with contextlib.ExitStack() as stack:
            self.groups = [[_Partial(path, parts, stack) for path, parts in one] for one in groups]
            self._stack = stack.pop_all()

    def discard(self) -> None:
        """Remove the temporary files that were not published."""
        self._stack.close()


def publish(staged: Sequence[StagedFiles]) -> None:
    """Make files durable and visible, group by group.

    Together they cost a fraction of one call each: an fsync makes the file system write its
    journal and the disk flush its cache, which covers all files.

    Raises:
        StoreError: the disk is full and so on; files that are not visible by then are removed.
    """
    try:
        for partial in (partial for one in staged for group in one.groups for partial in group):
            partial.sync()
        for step in itertools.zip_longest(*(one.groups for one in staged), fillvalue=()):
            together = list(itertools.chain(*step))
            for partial in together:
                partial.rename()
            for folder in dict.fromkeys(partial.path.parent for partial in together):
                with disk_errors(folder):
                    sync_folder(folder)
    finally:
        for one in staged:
            one.discard()


class _Partial:
    """A completely written temporary file, removed with `stack` unless it is renamed."""

    def __init__(self, path: Path, parts: Iterable[Buffer], stack: contextlib.ExitStack) -> None:
        self.path = Path(path)
        make_folder(self.path.parent)
        self._partial = self.path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
        self._renamed = False
        stack.callback(self._remove)
        with disk_errors(self.path):
            self._file = stack.enter_context(_new_file(self._partial))
            _write_all(self._file.fileno(), parts)

    def sync(self) -> None:
        with disk_errors(self.path):
            os.fsync(self._file.fileno())

    def rename(self) -> None:
        with disk_errors(self.path):
            self._file.close()
            self._partial.replace(self.path)
            self._renamed = True

    def _remove(self) -> None:
        if not self._renamed:
            with contextlib.suppress(OSError):
                self._partial.unlink(missing_ok=True)


def _new_file(path: Path) -> io.FileIO:
    """A file that was not there: what a link of its name points at is never written to."""
    with contextlib.suppress(FileExistsError):
        return path.open("xb", buffering=0)
    path.unlink()  # of an earlier process with the same number
    return path.open("xb", buffering=0)


def write_bytes(path: Path, data: Buffer) -> None:
    """Write one buffer atomically. Raises: StoreError."""
    write_parts(path, [data])


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically. Raises: StoreError."""
    write_parts(path, [text.encode()])


def json_text(obj: Any) -> str:  # noqa: ANN401  any JSON value
    """The canonical JSON of this project: sorted keys, two spaces, a newline, no NaN."""
    return json.dumps(obj, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, obj: Any) -> None:  # noqa: ANN401  any JSON value
    """Write a JSON value atomically, in the form of `json_text`. Raises: StoreError."""
    write_text(path, json_text(obj))


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet (zstd, page checksums) atomically. Raises: StoreError."""
    write_parquet_groups(path, [table])


def write_parquet_groups(path: Path, groups: Sequence[pa.Table]) -> None:
    """As `write_parquet`, every table as a row group of its own, for readers that need only some.

    Raises:
        StoreError: the disk is full, the folder is read-only, and so on.
    """
    write_parts(path, [parquet_bytes(groups)])


def sync_folder(folder: Path) -> None:
    """Make renames and removals within `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex. Raises: OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_partials(folder: Path) -> list[Path]:
    """Delete the temporary files of killed runs below `folder`; returns their paths.

    Raises:
        StoreError: one of them cannot be removed.
    """
    removed = sorted(folder.rglob(f".*{PARTIAL_SUFFIX}"))
    for path in removed:
        with disk_errors(path):
            path.unlink(missing_ok=True)
    return removed


def _write_all(descriptor: int, parts: Iterable[Buffer]) -> None:
    start = size = 0
    waiting: list[memoryview] = []
    for part in parts:
        data = memoryview(part).cast("B")
        waiting.append(data)
        size += len(data)
        if size >= _BLOCK:
            start, size = _flush(descriptor, waiting, size % _BLOCK, start), size % _BLOCK
    _flush(descriptor, waiting, 0, start)


def _flush(descriptor: int, waiting: list[memoryview], keep: int, start: int) -> int:
    """Write the waiting buffers except the last `keep` bytes of the last one.

    Args:
        descriptor: of the file.
        waiting: buffers; on return, only the kept bytes.
        keep: 0, or fewer bytes than the last buffer has.
        start: offset of the first byte in the file.

    Returns:
        offset of the next write.
    """
    rest = waiting[-1:] if keep else []
    if keep:
        waiting[-1], rest[0] = rest[0][:-keep], rest[0][-keep:]
    stop = start
    while waiting:
        done = os.writev(descriptor, waiting[:_MAX_VECTORS])  # short on a nearly full disk
        stop += done
        whole = 0
        while whole < len(waiting) and done >= len(waiting[whole]):
            done, whole = done - len(waiting[whole]), whole + 1
        del waiting[:whole]
        if done:
            waiting[0] = waiting[0][done:]
    _begin_write_back(descriptor, start, stop - start)
    waiting += rest
    return stop


def _begin_write_back(descriptor: int, start: int, length: int) -> None:
    """Start writing back now instead of in the fsync, which would then wait for all of it.

    On Linux, POSIX_FADV_DONTNEED starts it. Dirty pages stay in the page cache: only clean ones
    are dropped.
    """
    if sys.platform == "linux":
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
