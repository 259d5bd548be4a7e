"""Records of committed shards: a file each while writing, one table in a sealed store."""

import functools
import hashlib
import json
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from ...common.atomic import json_text, parquet_bytes
from ...common.errors import StoreError
from ..places.protocol import Place, reading
from .layout import LEDGER, LEDGER_FOLDER
from .schema import Record

AnyRecord = TypeVar("AnyRecord", bound=Record)


class FileRecord(Record):
    """A file of the store with its fingerprint."""

    path: str
    """Relative to the store, with forward slashes."""
    bytes: int
    sha256: str
    """In hex. Of the whole file; of a shard, of its header, chunk checksums and index (see
    `shards`). A CRC32C would not do: chunks that end in their own CRC32C give every shard
    of the same shape the same one, so swapped shards would pass."""


class ShardRecord(Record):
    """One committed shard."""

    shard: int
    first_token: int
    tokens: int
    files: tuple[FileRecord, ...]
    """States, token ids and statistics of these tokens."""


def write_sealed(store: Place, name: str, record: Record) -> None:
    """Write a record as JSON with a checksum over itself. Raises: StoreError."""
    store.write(name, [sealed_text(record).encode()])


def sealed_text(record: Record) -> str:
    """The canonical JSON of a record, with the SHA-256 of the rest under `checksum`."""
    content: dict[str, Any] = record.model_dump(mode="json")
    digest = hashlib.sha256(json_text(content).encode()).hexdigest()
    return json_text(content | {"checksum": digest})


def read_sealed(store: Place, name: str, kind: type[AnyRecord]) -> AnyRecord:
    """Read a record that `write_sealed` wrote; any changed bit is detected.

    Raises:
        StoreError: missing, damaged, or of a format that this version does not know.
    """
    path = store.at(name)
    try:
        record = _parse(store.read(name).decode(), kind)
    except _VersionError as error:
        text = f"{path}: format version {error} is not known: update latentcomp"
        raise StoreError(text) from error
    except FileNotFoundError as error:
        raise StoreError(f"{path}: missing: is this the folder of a feature store?") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}): check the disk") from error
    except (ValueError, AttributeError, ValidationError, RecursionError) as error:
        reason = "it does not fit the format" if isinstance(error, ValidationError) else str(error)
        raise StoreError(f"{path}: damaged ({' '.join(reason.split())}): extract again") from error
    assert isinstance(record, kind)
    return record


class _VersionError(ValueError):
    """The text is of a format that this version does not know."""


# Every writer reads the records of all shards several times, and they never change: a text that
# was checked before is not parsed again.
@functools.lru_cache(maxsize=2**16)
def _parse(text: str, kind: type[Record]) -> Record:
    content = json.loads(text)
    content.pop("checksum", None)
    version = content.get("format_version", 1)
    if version != 1:
        raise _VersionError(repr(version))
    record = kind.model_validate_json(json.dumps(content))
    if sealed_text(record) != text:
        raise ValueError("it fails its checksum")
    return record


def damaged(store: Place, where: str, reason: str) -> StoreError:
    """The error for data that differs from what was written."""
    return StoreError(
        f"{store}: {where}: {' '.join(reason.split())}: run `latentcomp store verify` on it"
    )


def record_name(shard: int) -> str:
    """Name of the record of a shard while the store is being written."""
    return f"{LEDGER_FOLDER}/{shard:06d}.json"


def committed(store: Place) -> dict[int, ShardRecord]:
    """Every record written so far, by shard, ascending.

    Raises:
        StoreError: a record is damaged.
    """
    with reading(store):  # the folder may go while it is listed: see `seal.recorded`
        names = [name for name in store.names(LEDGER_FOLDER) if name.endswith(".json")]
    records = [read_sealed(store, name, ShardRecord) for name in names]
    return {record.shard: record for record in sorted(records, key=lambda record: record.shard)}


def write_table(store: Place, records: list[ShardRecord]) -> None:
    """Write all records as one Parquet table, three rows a shard. Raises: StoreError."""
    rows = [
        {
            "shard": record.shard,
            "first_token": record.first_token,
            "tokens": record.tokens,
            **file.model_dump(),
        }
        for record in records
        for file in record.files
    ]
    store.write(LEDGER, [parquet_bytes([pa.Table.from_pylist(rows, schema=_TABLE)])])


def read_table(store: Place) -> dict[int, ShardRecord]:
    """The records of a finished store, by shard.

    Raises:
        StoreError: the table is missing or damaged.
    """
    try:
        rows = pq.read_table(store.arrow(LEDGER), schema=_TABLE).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{store.at(LEDGER)}: cannot be read: extract again") from error
    records: dict[int, ShardRecord] = {}
    for row in rows:
        file = FileRecord(path=row["path"], bytes=row["bytes"], sha256=row["sha256"])
        earlier = records.get(row["shard"])
        files = (*earlier.files, file) if earlier else (file,)
        records[row["shard"]] = ShardRecord(
            shard=row["shard"], first_token=row["first_token"], tokens=row["tokens"], files=files
        )
    return records


def fingerprint(store: Place, name: str) -> FileRecord:
    """Size and SHA-256 of a file of the store. Raises: OSError."""
    data = store.read(name)
    return FileRecord(path=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


_TABLE = pa.schema(
    [
        pa.field("shard", pa.int64(), nullable=False),
        pa.field("first_token", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
    ]
)
