"""What a writer does before its first state and after its last: metadata, ledger, seal."""

import functools
from collections.abc import Iterable

import numpy as np

from ...common.atomic import json_text
from ...common.parquet import parquet_parts
from ..format import ledger, seal, tables
from ..format.documents import Documents
from ..format.dtypes import Bits
from ..format.identity import owner_sha256
from ..format.layout import MANIFEST, SEAL, Layout
from ..format.placement import Placement, tokens_between
from ..format.schema import Integers
from ..format.shard_table import ShardRecord, ShardTable
from ..format.shards import decode_shard, shard_sha256
from ..places.protocol import Place, exists
from .bindings import check_bindings, foreign


def write_metadata(
    place: Place, layout: Layout, documents: Documents, placement: Placement
) -> None:
    """Write every file that is known before the first state, the manifest first.

    Files that are already there with the same content are left alone; if one must change, the
    seal of the store is broken first.

    Raises:
        StoreError: the store is of other documents; the disk is full and so on.
    """
    texts = {MANIFEST: ledger.sealed_text(layout.manifest)}
    texts |= {name: json_text(content) for name, content in layout.metadata().items()}
    stale = {name: text for name, text in texts.items() if not _has_content(place, name, text)}
    plan = tables.plan_tables(place, documents, placement.starts)
    if (stale or plan) and exists(place, SEAL):
        seal.break_seal(place)
    for name, text in stale.items():
        place.write(name, [text.encode()])
    for name, groups in plan.items():
        place.write(name, parquet_parts(groups()))


def committed_tokens(layout: Layout, records: ShardTable) -> Integers:
    """[shards] tokens of every shard that are committed and can be kept."""
    committed: Integers = np.zeros(layout.shards, np.int64)
    for shard in records:
        tokens = records.tokens(shard)
        # Quantised states cannot be quantised again to the same bytes.
        if shard < layout.shards and (
            layout.encoding.exact or tokens == layout.states.shard_length(shard)
        ):
            committed[shard] = tokens
    return committed


def check_committed(
    place: Place,
    layout: Layout,
    records: Iterable[ShardRecord],
    documents: Documents,
    placement: Placement,
) -> None:
    """Check that the committed shards of an unfinished store are of these documents.

    Of a finished one the seal says so, and every reader compares.

    Raises:
        StoreError: one is not, or its files are others than were committed.
    """
    if not exists(place, SEAL):
        check_bindings(
            place, layout, records, functools.partial(tokens_between, documents, placement)
        )


def read_prefix(place: Place, layout: Layout, record: ShardRecord, buffer: Bits) -> None:
    """Fill a buffer [layers, rows, hidden] with the first tokens of a shard that is extended.

    Args:
        place: of the store.
        layout: of the store, with the tokens it shall have.
        record: of the shard as it was committed.
        buffer: of the shard.

    Raises:
        StoreError: the shard is damaged.
    """
    shard, tokens = record.shard, record.tokens
    before = Layout(layout.manifest, shard * layout.manifest.shard_tokens + tokens)
    name = before.shard_files(shard)[0]
    try:
        owner, data = owner_sha256(layout.manifest), place.read(name)
        columns = decode_shard(before.states, owner, shard, data)
        if shard_sha256(before.states, shard, data) != record.files[0].sha256:
            raise foreign(place, shard, f"{name} is another file now")
    except (OSError, ValueError) as error:
        raise ledger.damaged(place, f"shard {shard}", str(error)) from error
    buffer[:, :tokens] = columns.view(layout.dtype.numpy)[:, :tokens]


def finish(place: Place, layout: Layout, documents: Documents, records: ShardTable) -> None:
    """Seal a store of which every shard is committed, with these records. Raises: StoreError."""
    if exists(place, SEAL):
        seal.remove_records(place)
        return
    place.remove_partials()  # of killed writers; running ones have no partial files left
    seal.write_seal(place, layout, len(documents), documents.chunks, records)


def _has_content(place: Place, name: str, text: str) -> bool:
    try:
        return place.read(name) == text.encode()
    except FileNotFoundError:
        return False
