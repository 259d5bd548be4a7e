"""The last file of a store, with counts, fingerprints and statistics: it exists if complete."""

from typing import Literal

from ...common.atomic import disk_errors
from ...common.errors import StoreError
from ...common.lock import LOCK
from ..places.protocol import Place, exists
from . import ledger, statistics
from .layout import CHUNKS, DOCUMENTS, LEDGER, LEDGER_FOLDER, MANIFEST, SEAL, Layout
from .ledger import FileRecord, ShardRecord
from .schema import FORMAT_VERSION, Record
from .statistics import Doubles, LayerStatistics


class Seal(Record):
    """Contents of a finished store, except for its shards, which the ledger lists."""

    format_version: Literal[1] = FORMAT_VERSION
    documents: int
    chunks: int
    tokens: int
    shards: int
    shard_bytes: int
    """Bytes of all shard files: states, token ids and statistics."""
    files: tuple[FileRecord, ...]
    """Every file except shards and the seal itself, by path."""
    statistics: tuple[LayerStatistics, ...]
    """One per layer, in the order of the manifest."""


def write_seal(store: Place, layout: Layout, documents: int, chunks: int) -> Seal:
    """Write the seal of a store of which every shard is committed.

    Raises:
        StoreError: the disk is full and so on, or a committed file is gone or damaged.
    """
    records = list(ledger.committed(store).values())
    ledger.write_table(store, records)
    names = sorted([MANIFEST, DOCUMENTS, CHUNKS, LEDGER, *layout.metadata()])
    with disk_errors(str(store)):
        files = tuple(ledger.fingerprint(store, name) for name in names)
    seal = Seal(
        documents=documents,
        chunks=chunks,
        tokens=layout.tokens,
        shards=layout.shards,
        shard_bytes=sum(file.bytes for record in records for file in record.files),
        files=files,
        statistics=combine(store, layout, records),
    )
    ledger.write_sealed(store, SEAL, seal)
    remove_records(store)
    return seal


def break_seal(store: Place) -> None:
    """Turn a finished store back into an unfinished one with all its shards committed.

    Raises:
        StoreError: the disk is full and so on; killed at any moment, the store is one or the other.
    """
    for record in ledger.read_table(store).values():
        ledger.write_sealed(store, ledger.record_name(record.shard), record)
    store.remove(SEAL)
    store.remove(LEDGER)


def read_seal(store: Place) -> Seal:
    """Read the seal of a finished store. Raises: StoreError."""
    return ledger.read_sealed(store, SEAL, Seal)


def recorded(store: Place) -> dict[int, ShardRecord]:
    """Every committed shard, also while another process seals or grows the store.

    Sealing replaces the records of single shards by a table, and growing does the reverse; a
    listing that overlaps with either may miss some, so it is repeated.

    Raises:
        StoreError: a record or the table is damaged.
    """
    while True:
        sealed = exists(store, SEAL)
        try:
            records = ledger.read_table(store) if sealed else ledger.committed(store)
        except StoreError:
            if exists(store, SEAL) == sealed:
                raise
            continue
        if exists(store, SEAL) == sealed:
            return records


def at_rest(store: Place) -> bool:
    """True if a store is sealed and no file of its writers is left.

    A writer that is killed after the seal leaves its lock, or records that the table replaces.
    """
    if not exists(store, SEAL):
        return False
    leftovers = (f"{LEDGER_FOLDER}/", LOCK)
    return not any(name.startswith(leftovers) for name in store.names())


def remove_records(store: Place) -> None:
    """Remove the records of single shards, which the table of a sealed store replaces."""
    store.remove_folder(LEDGER_FOLDER)


def combine(
    store: Place, layout: Layout, records: list[ShardRecord]
) -> tuple[LayerStatistics, ...]:
    """Statistics over the tokens of the given shards. Raises: StoreError."""
    partials = [read_partial(store, layout, record.shard) for record in records]
    tokens = sum(record.tokens for record in records)
    return statistics.summarise(layout.manifest.layers, tokens, partials)


def read_partial(store: Place, layout: Layout, shard: int) -> Doubles:
    """The partial sums of one shard: [layers, 3, hidden]. Raises: StoreError."""
    name = layout.shard_files(shard)[2]
    with disk_errors(store.at(name)):
        data = store.read(name)
    try:
        rows = len(layout.statistics_rows)
        return statistics.decode(data, len(layout.manifest.layers), rows, layout.hidden)
    except ValueError as error:
        raise ledger.damaged(store, f"statistics of shard {shard}", str(error)) from error
