"""Records of a file, whatever holds them: Parquet, JSON, JSON lines, each plain or gzipped."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import CorpusError

Row = dict[str, Any]

_GIVE: Final = "give the file as it was published"


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Every record with its number, from 1 on.

    A JSON file holds a list of records, or one object with a list under `data`.

    Raises:
        CorpusError: the file is missing, or none of these, or a record is no object.
    """
    try:
        records = list(_records(path))
    except gzip.BadGzipFile as error:
        raise _unreadable(path, error) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise CorpusError(f"{path}: cannot be read ({reason}): check the path") from error
    except (ValueError, EOFError, zlib.error, RecursionError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            kind = type(record).__name__
            raise CorpusError(f"{path}, record {number}: a {kind} and no object: {_GIVE}")
        yield number, record


def _unreadable(path: Path, error: Exception) -> CorpusError:
    reason = " ".join(str(error).split())[:120]
    return CorpusError(f"{path}: no Parquet, JSON or JSON lines ({reason}): {_GIVE}")


def _records(path: Path) -> Iterator[Any]:
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        yield from pq.read_table(pa.BufferReader(data)).to_pylist()
        return
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    text = data.decode("utf-8-sig")
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        yield from (json.loads(line) for line in text.split("\n") if line.strip())
        return
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):
        whole = whole["data"]
    yield from whole if isinstance(whole, list) else [whole]
