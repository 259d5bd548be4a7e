"""Records of committed shards: a file each while writing, one table in a sealed store.

A store that grows has both: the table of its last seal lies among the records as `BASE_TABLE`,
so that adding one document does not write a file for every shard that was there before.
"""

import contextlib
import errno
import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from ...common.atomic import json_text
from ...common.errors import StoreError
from ...common.parquet import parquet_bytes
from ...common.threads import in_order
from ..places.parts import Span
from ..places.protocol import Place, exists, reading
from .canonical import without_checksum
from .files import LEDGER, LEDGER_FOLDER, MANIFEST, shard_files
from .schema import Record
from .shard_table import FileRecord, ShardRecord, ShardTable
from .steps import RESTORE, repair_step

BASE = f"{LEDGER_FOLDER}/base"
"""Names the table of the last seal, and the shards of it that count no longer."""
BASE_TABLE = f"{LEDGER_FOLDER}/base.parquet"
_BLOCK = 2**23
"""Bytes of a file that are in memory at once while it is hashed."""

AnyRecord = TypeVar("AnyRecord", bound=Record)


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
        raise StoreError(
            f"{path}: format version {error} is not known: update latentcomp"
        ) from error
    except FileNotFoundError as error:
        raise StoreError(f"{path}: missing: is this the folder of a feature store?") from error
    except OSError as error:
        step = getattr(error, "step", "check the disk") + " and run again"
        raise StoreError(f"{path}: cannot be read ({error.strerror}): {step}") from error
    except (ValueError, AttributeError, ValidationError, RecursionError) as error:
        reason = "it does not fit the format" if isinstance(error, ValidationError) else str(error)
        step = repair_step(store) if name != MANIFEST else RESTORE
        raise StoreError(f"{path}: damaged ({' '.join(reason.split())}): {step}") from error
    assert isinstance(record, kind)
    return record


class _VersionError(ValueError):
    """The text is of a format that this version does not know."""


class Base(Record):
    """The table of the last seal of a store that grows."""

    bytes: int
    sha256: str
    """Of `BASE_TABLE`."""
    replaced: tuple[int, ...] = ()
    """Shards that are written again, longer, and count once they have a record of their own."""


@dataclass(slots=True)
class Known:
    """What one process has read of the ledger: a record that did not change is not read again."""

    records: ShardTable = field(default_factory=ShardTable)
    stamps: dict[str, str] = field(default_factory=dict)
    """Record of a single shard -> its stamp when it was read."""
    base: tuple[str | None, str | None] = (None, None)
    """Stamps of `BASE` and `BASE_TABLE`."""


@functools.lru_cache(maxsize=64)
def _parse(text: str, kind: type[Record]) -> Record:
    if kind is ShardRecord and (rest := without_checksum(text)) is not None:
        with contextlib.suppress(ValidationError):  # there may be a better reason below
            return kind.model_validate_json(rest)
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
    return StoreError(f"{store}: {where}: {' '.join(reason.split())}: {repair_step(store)}")


def record_name(shard: int) -> str:
    """Name of the record of a shard while the store is being written."""
    return f"{LEDGER_FOLDER}/{shard:06d}.json"


def committed(store: Place, known: Known | None = None) -> ShardTable:
    """Every record written so far, by shard.

    Args:
        store: place of the store.
        known: what was read before; updated, and its table is returned.

    Raises:
        StoreError: a record is damaged.
    """
    known = known or Known()
    with reading(store):  # the folder may go while it is listed: see `seal.recorded`
        present = {file.name: file.stamp for file in store.listing(LEDGER_FOLDER)}
    base = (present.get(BASE), present.get(BASE_TABLE))
    names = [name for name in present if name.endswith(".json")]
    # What is gone may have hidden a row of the table.
    if base != known.base or not known.stamps.keys() <= present.keys():
        known.records = _base(store) if base[0] else ShardTable()
        known.base, known.stamps = base, {}
    new = [name for name in names if known.stamps.get(name) != present[name]]
    read = in_order(lambda name: read_sealed(store, name, ShardRecord), new, store.readers)
    for name, record in zip(new, read, strict=True):
        try:
            if record_name(record.shard) != name:
                raise ValueError("it is the record of another shard")
            known.records[record.shard] = record
        except ValueError as error:
            raise damaged(store, name, str(error)) from error
        known.stamps[name] = present[name]
    return known.records


def keep_as_base(store: Place, file: FileRecord) -> None:
    """Keep the table of a seal, whose fingerprint is `file`, among the records of single shards.

    Raises:
        StoreError: the table is not the one that was sealed; the disk is full and so on.
    """
    with reading(store):
        data = store.read(LEDGER)
    if len(data) != file.bytes or hashlib.sha256(data).hexdigest() != file.sha256:
        raise damaged(store, LEDGER, "its SHA-256 is not the recorded one")
    store.write(BASE_TABLE, [data])
    write_sealed(store, BASE, Base(bytes=file.bytes, sha256=file.sha256))


def retract(store: Place, shard: int) -> None:
    """Let a shard count no longer, durably, before longer files replace its own.

    Raises:
        StoreError: the ledger is damaged, or the disk fails.
    """
    with reading(store):
        grown = exists(store, BASE)
    if grown:
        base = read_sealed(store, BASE, Base)
        if shard not in base.replaced:
            replaced = tuple(sorted({*base.replaced, shard}))
            write_sealed(store, BASE, base.model_copy(update={"replaced": replaced}))
    store.remove(record_name(shard))


def _base(store: Place) -> ShardTable:
    base = read_sealed(store, BASE, Base)
    with reading(store):
        data = store.read(BASE_TABLE)
    if len(data) != base.bytes or hashlib.sha256(data).hexdigest() != base.sha256:
        raise damaged(store, BASE_TABLE, "its SHA-256 is not the recorded one")
    table = _parsed_table(store, BASE_TABLE, pa.BufferReader(data))
    for shard in base.replaced:
        table.pop(shard, None)
    return table


def write_table(store: Place, records: ShardTable) -> None:
    """Write all records as one Parquet table, three rows a shard. Raises: StoreError."""
    store.write(LEDGER, [table_bytes(records)])


def table_bytes(records: ShardTable) -> memoryview:
    """The bytes of `LEDGER`."""
    columns: dict[str, list[Any]] = {name: [] for name in _TABLE.names}
    for record in records.values():
        for file in record.files:
            row = (record.shard, record.first_token, record.tokens)
            for name, value in zip(
                columns, (*row, file.path, file.bytes, file.sha256), strict=True
            ):
                columns[name].append(value)
    arrays = [pa.array(columns.pop(name), _TABLE.field(name).type) for name in _TABLE.names]
    return parquet_bytes([pa.Table.from_arrays(arrays, schema=_TABLE)])


def read_table(store: Place) -> ShardTable:
    """The records of a finished store, by shard.

    Raises:
        StoreError: the table is missing or damaged.
    """
    return _parsed_table(store, LEDGER, None)


def _parsed_table(store: Place, name: str, source: Any) -> ShardTable:  # noqa: ANN401  a file
    try:
        table = pq.read_table(store.arrow(name) if source is None else source, schema=_TABLE)
        return _packed(table)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"{store.at(name)}: cannot be read: {repair_step(store)}") from error


def _packed(rows: pa.Table) -> ShardTable:
    """Three rows a shard in the order of its files. Raises: ValueError: they are not."""
    packed = ShardTable()
    # Arrow reads a long table in pieces that end within the three rows of a shard.
    for batch in rows.combine_chunks().to_batches(max_chunksize=3 * 2**12):
        columns = batch.to_pydict()
        if len(batch) % 3:
            raise ValueError("not three rows a shard")
        numbers = np.array([columns[n] for n in ("shard", "first_token", "tokens")])
        thirds = numbers.reshape(3, -1, 3)
        if (thirds != thirds[:, :, :1]).any():
            raise ValueError("not three rows a shard")
        for i, (shard, first, tokens) in enumerate(thirds[:, :, 0].T.tolist()):
            part = slice(3 * i, 3 * i + 3)
            if shard in packed or tuple(columns["path"][part]) != shard_files(shard):
                raise ValueError(f"the record of shard {shard} does not name its files")
            sizes = tuple(columns["bytes"][part])
            packed.put(shard, first, tokens, sizes, columns["sha256"][part])
    return packed


def fingerprint(store: Place, name: str) -> FileRecord:
    """Size and SHA-256 of a file of the store. Raises: OSError."""
    digest, size = hashlib.sha256(), 0
    for block in blocks(store, name):
        digest.update(block)
        size += len(block)
    return FileRecord(path=name, bytes=size, sha256=digest.hexdigest())


def blocks(store: Place, name: str) -> Iterator[memoryview]:
    """The bytes of a file, a few megabytes at a time, in memory that is used again.

    Raises:
        OSError: it cannot be read, or not to its end.
    """
    file = store.open(name)
    block = memoryview(bytearray(min(_BLOCK, file.size)))
    for start in range(0, file.size, _BLOCK):
        part = block[: min(_BLOCK, file.size - start)]
        try:
            file.read([Span(start, [part])])
        except ValueError as error:
            raise OSError(errno.EIO, str(error)) from error
        yield part


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
