"""The last file of a store, with counts, fingerprints and statistics: it exists if complete."""

from typing import Annotated, Literal

from pydantic import Field

from ...common.atomic import disk_errors
from ...common.errors import StoreError
from ...common.lock import LOCK
from ...common.threads import in_order
from ..places.protocol import Place, exists
from . import ledger, statistics
from .layout import CHUNKS, DOCUMENTS, LEDGER, LEDGER_FOLDER, MANIFEST, SEAL, Layout
from .ledger import Known
from .schema import FORMAT_VERSION, Record
from .shard_table import FileRecord, ShardTable
from .statistics import Doubles, LayerStatistics

Count = Annotated[int, Field(ge=1, le=2**53)]


class Seal(Record):
    """Contents of a finished store, except for its shards, which the ledger lists."""

    format_version: Literal[1] = FORMAT_VERSION
    documents: Count
    chunks: Count
    tokens: Count
    shards: Count
    shard_bytes: Count
    """Bytes of all shard files: states, token ids and statistics."""
    files: tuple[FileRecord, ...]
    """Every file except shards and the seal itself, by path."""
    statistics: tuple[LayerStatistics, ...]
    """One per layer, in the order of the manifest."""


def write_seal(
    store: Place,
    layout: Layout,
    documents: int,
    chunks: int,
    records: ShardTable | None = None,
) -> Seal:
    """Write the seal of a store of which every shard is committed.

    Args:
        store: place of the store.
        layout: of the store.
        documents: how many.
        chunks: of all documents.
        records: of all shards, as the ledger has them now; None reads them.

    Raises:
        StoreError: the disk is full and so on, or a committed file is gone or damaged.
    """
    records = ledger.committed(store) if records is None else records
    ledger.write_table(store, records)
    names = sorted([MANIFEST, DOCUMENTS, CHUNKS, LEDGER, *layout.metadata()])
    with disk_errors(str(store)):
        files = tuple(ledger.fingerprint(store, name) for name in names)
    seal = Seal(
        documents=documents,
        chunks=chunks,
        tokens=layout.tokens,
        shards=layout.shards,
        shard_bytes=sum(sum(records.sizes(shard)) for shard in records),
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
            The seal or its table is damaged.
    """
    table = [file for file in read_seal(store).files if file.path == LEDGER]
    if len(table) != 1:
        raise ledger.damaged(store, SEAL, f"it does not name {LEDGER}")
    ledger.keep_as_base(store, table[0])
    store.remove(SEAL)
    store.remove(LEDGER)


def read_seal(store: Place) -> Seal:
    """Read the seal of a finished store. Raises: StoreError."""
    return ledger.read_sealed(store, SEAL, Seal)


def recorded(store: Place, known: Known | None = None) -> ShardTable:
    """Every committed shard, also while another process seals or grows the store.

    Sealing replaces the records of single shards by a table, and growing does the reverse; a
    listing that overlaps with either may miss some, so it is repeated.

    Args:
        store: place of the store.
        known: what was read before; see `ledger.committed`.

    Raises:
        StoreError: a record or the table is damaged.
    """
    while True:
        sealed = exists(store, SEAL)
        try:
            if sealed:
                read_seal(store)  # a damaged one seals nothing
            records = ledger.read_table(store) if sealed else ledger.committed(store, known)
        except StoreError:
            if exists(store, SEAL) == sealed:
                raise
            continue
        if exists(store, SEAL) != sealed:
            continue
        if not sealed and not records and is_lost(store):
            raise lost(store)
        return records


def is_lost(store: Place) -> bool:
    """True if there is the ledger of a finished store, and neither a seal nor another record.

    No writer leaves it so: the table is written while there are records, and goes after the seal.
    """
    if exists(store, SEAL) or not exists(store, LEDGER):
        return False
    return next(iter(store.listing(LEDGER_FOLDER)), None) is None


def lost(store: Place) -> StoreError:
    """The error for such a store."""
    return ledger.damaged(store, SEAL, f"is missing, though {LEDGER} is there")


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


def combine(store: Place, layout: Layout, records: ShardTable) -> tuple[LayerStatistics, ...]:
    """Statistics over the tokens of the given shards, one after another. Raises: StoreError."""
    partials = in_order(lambda shard: read_partial(store, layout, shard), records, store.readers)
    tokens = sum(records.tokens(shard) for shard in records)
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
