"""Files that are either whole or absent: temp file, fsync, rename, fsync of the folder."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import StoreError

PARTIAL_SUFFIX = ".partial"
"""Every temporary file ends so; what a killed run leaves behind is found by it."""

Buffer = bytes | bytearray | memoryview

_BLOCK = 2 * 2**20
"""Bytes of one write. The page cache keeps a file in pieces as large as the writes that made it,
if these begin at multiples of a power of two, and mapped memory is filled piece by piece."""
_VECTORS = 1024  # of one call to the kernel

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
            text = f"{reason}: check the disk and run again"
        raise StoreError(f"{path}: {text}") from error


def make_folder(path: Path) -> None:
    """Create `path` with its parents.

    Raises:
        StoreError: the folder cannot be made.
    """
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def write_parts(path: Path, parts: Iterable[Buffer]) -> int:
    """Write the buffers one after another as one file, atomically and durably; returns its bytes.

    Raises:
        StoreError: the disk is full, the folder is read-only, and so on; `path` is untouched.
    """
    path = Path(path)
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    with disk_errors(path):
        try:
            with partial.open("wb", buffering=0) as file:
                size = _write_all(file.fileno(), parts)
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    return size


def write_bytes(path: Path, data: Buffer) -> None:
    """Write one buffer atomically. Raises: StoreError."""
    write_parts(path, [data])


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically. Raises: StoreError."""
    write_parts(path, [text.encode()])


def json_text(obj: Any) -> str:  # noqa: ANN401  any JSON value
    """The one JSON form this project writes: sorted keys, two spaces, a newline, no NaN."""
    return json.dumps(obj, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, obj: Any) -> None:  # noqa: ANN401  any JSON value
    """Write a JSON value atomically, in the form of `json_text`. Raises: StoreError."""
    write_text(path, json_text(obj))


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet (zstd, page checksums) atomically. Raises: StoreError."""
    write_parquet_groups(path, [table])


def write_parquet_groups(path: Path, groups: Sequence[pa.Table]) -> None:
    """As `write_parquet`, every table its own row group, for readers that want only some.

    Raises:
        StoreError: the disk is full, the folder is read-only, and so on.
    """
    write_parts(path, [parquet_bytes(groups)])


def parquet_bytes(groups: Sequence[pa.Table]) -> memoryview:
    """A Parquet file (zstd, page checksums) in memory, every table its own row group."""
    sink = pa.BufferOutputStream()
    schema = groups[0].schema
    with pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, len(group)))
    return memoryview(sink.getvalue())


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
    """Delete the temporary files that a killed run left below `folder`; say which.

    Raises:
        StoreError: one of them cannot be removed.
    """
    removed = sorted(folder.rglob(f".*{PARTIAL_SUFFIX}"))
    for path in removed:
        with disk_errors(path):
            path.unlink(missing_ok=True)
    return removed


def _write_all(descriptor: int, parts: Iterable[Buffer]) -> int:
    size = held = 0
    waiting: list[memoryview] = []
    for part in parts:
        data = memoryview(part).cast("B")
        waiting.append(data)
        size, held = size + len(data), held + len(data)
        if held >= _BLOCK:
            held %= _BLOCK
            _flush(descriptor, waiting, held)
    _flush(descriptor, waiting, 0)
    return size


def _flush(descriptor: int, waiting: list[memoryview], keep: int) -> None:
    """Write what waits but for the last `keep` bytes, which are part of the last buffer."""
    rest = waiting[-1:] if keep else []
    if keep:
        waiting[-1], rest[0] = rest[0][:-keep], rest[0][-keep:]
    while waiting:
        done = os.writev(descriptor, waiting[:_VECTORS])  # a nearly full disk takes only a part
        whole = 0
        while whole < len(waiting) and done >= len(waiting[whole]):
            done, whole = done - len(waiting[whole]), whole + 1
        del waiting[:whole]
        if done:
            waiting[0] = waiting[0][done:]
    waiting += rest
