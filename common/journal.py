"""Append-only files of one JSON record a line: appended durably, read without a torn last line."""

import fcntl
import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from .atomic import disk_errors, make_folder, sync_folder
from .errors import LatentcompError

RecordT = TypeVar("RecordT", bound=BaseModel)


def append_line(path: Path, record: BaseModel) -> None:
    """Add a record as the last line; it is on the disk when this returns.

    What a killed writer left of a line is cut off first, so that a journal stays readable.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    make_folder(path.parent)
    is_new = not path.exists()
    line = memoryview(record.model_dump_json().encode() + b"\n")
    # Without a buffer, which would write the rest of a failed line when it is closed.
    with disk_errors(path), path.open("a+b", buffering=0) as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        whole = _end_of_lines(journal.fileno())
        journal.truncate(whole)
        try:
            while line:  # a nearly full disk takes only a part
                line = line[journal.write(line) :]
            os.fsync(journal.fileno())
        except OSError:
            journal.truncate(whole)
            raise
    if is_new:
        sync_folder(path.parent)


def read_lines(kind: type[RecordT], path: Path) -> tuple[RecordT, ...]:
    """Every record of a journal, the oldest first; none where there is no file.

    Raises:
        LatentcompError: a line is damaged; names it.
    """
    if not path.exists():
        return ()
    # A newline alone ends a line: JSON keeps other separators of Unicode as they are.
    *lines, _torn = path.read_bytes().decode(errors="replace").split("\n")
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(kind.model_validate_json(line))
        except ValidationError as error:
            raise LatentcompError(
                f"{path}, line {number}: not a {kind.__name__} ({error.errors()[0]['msg']}); "
                "restore the file from a copy, or work in another --run"
            ) from error
    return tuple(records)


def _end_of_lines(descriptor: int) -> int:
    """Bytes up to and with the last newline."""
    size = os.fstat(descriptor).st_size
    while size:
        start = max(0, size - 4096)
        block = os.pread(descriptor, size - start, start)
        if (newline := block.rfind(b"\n")) >= 0:
            return start + newline + 1
        size = start
    return 0
