"""Making a damaged store one that is unfinished: what is sound is kept, the rest is to be written.

Then the command that wrote the store writes what is missing and seals it, with the same bytes as
if nothing had happened. What lies in the store besides states is made from the corpus again.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...common.errors import StoreError
from ...common.threads import cores, in_order
from ..format import ledger, seal
from ..format.documents import Documents
from ..format.layout import (
    CHUNKS,
    DOCUMENTS,
    LEDGER,
    LEDGER_FOLDER,
    MANIFEST,
    SEAL,
    Layout,
    is_store,
)
from ..format.placement import place_documents, tokens_between
from ..format.schema import Manifest
from ..format.seal import Seal
from ..format.shard_table import ShardRecord, ShardTable
from ..format.steps import RESTORE
from ..format.tables import plan_tables
from ..places.open import place_of
from ..places.protocol import Place, exists, reading
from ..read.document_table import DocumentTable
from ..write.bindings import check_bindings, file_digests
from .shard_check import Problem, ShardCheck

Progress = Callable[[int, int], None]
NAME = "latentcomp store repair"


@dataclass(frozen=True, slots=True)
class Reopened:
    """What a look at every shard found, and did."""

    path: Path | str
    kept: int
    """Shards that are sound."""
    problems: tuple[Problem, ...]
    """What is not."""
    sealed: bool
    """True if nothing had to be done: the store is finished, and nothing in it is damaged."""


def reopen(path: Path | str | Place, progress: Progress | None = None) -> Reopened:
    """Read all shards of a store; where one is damaged, or what describes it, break the seal.

    A shard counts on if its files give the fingerprints of the ledger. Shards of which no ledger
    is left count no longer: nothing says that their states are those of their tokens.

    Args:
        path: folder or address of the store.
        progress: called with (shards done, shards in all).

    Raises:
        StoreError: there is no store, its manifest is damaged, another process writes to it, or
            the disk fails.
    """
    store = place_of(path)
    if not is_store(store):
        raise StoreError(f"{store}: no feature store here: write one with `extract`")
    with _alone(store):
        manifest = ledger.read_sealed(store, MANIFEST, Manifest)
        problems: list[Problem] = []
        sealed = _seal(store, problems)
        was_sealed = exists(store, SEAL)
        if seal.is_lost(store):
            was_sealed = True
            problems.append(Problem(SEAL, "is missing"))
        fixed = _fixed_files(store, sealed, problems) if sealed else []
        if {MANIFEST, LEDGER, DOCUMENTS} <= set(fixed):  # the seal is of another store
            sealed, fixed = None, []
            problems[:] = [Problem(SEAL, "is of another store")]
        if MANIFEST in fixed:
            raise StoreError(f"{store.at(MANIFEST)}: is not the one of the seal: {RESTORE}")
        records = _table(store, problems) if was_sealed else _records(store, problems)
        if sealed and not records:
            records = _proven(store, manifest, sealed)
        bad = _check(store, manifest, records, problems, progress)
        if was_sealed and (problems or sealed is None):
            _break(store, records)
        for shard in bad:
            ledger.retract(store, shard)
        if problems and sealed:
            store.remove(*(name for name in fixed if name in (DOCUMENTS, CHUNKS)))
    done = was_sealed and not problems
    return Reopened(store.path, len(records) - len(bad), tuple(problems), done)


def drop_foreign(path: Path | str | Place, manifest: Manifest, documents: Documents) -> None:
    """Let what is of other documents count no longer, in a store that `reopen` left unfinished.

    Raises:
        StoreError: the disk fails.
    """
    store = place_of(path)
    placement = place_documents(documents, manifest.shard_tokens)
    layout = Layout(manifest, placement.tokens)
    tokens = functools.partial(tokens_between, documents, placement)
    with _alone(store):
        records = ledger.committed(store)
        for shard in list(records):
            try:
                check_bindings(store, layout, [records[shard]], tokens)
            except StoreError:
                ledger.retract(store, shard)
        try:
            plan_tables(store, documents, placement.starts)
        except StoreError:
            store.remove(CHUNKS, DOCUMENTS)


def seal_again(path: Path | str | Place) -> bool:
    """Seal a store of which every shard is committed; False if some are missing.

    Raises:
        StoreError: its tables are damaged, or the disk fails.
    """
    store = place_of(path)
    with _alone(store):
        manifest = ledger.read_sealed(store, MANIFEST, Manifest)
        table = DocumentTable(store)
        layout = Layout(manifest, table.tokens)
        records = ledger.committed(store)
        whole = all(
            shard in records and records.tokens(shard) == layout.states.shard_length(shard)
            for shard in range(layout.shards)
        )
        if whole and len(records) == layout.shards:
            seal.write_seal(store, layout, table.documents, table.chunks)
    return whole


@contextmanager
def _alone(store: Place) -> Iterator[None]:
    """No other process writes to the store meanwhile. Raises: StoreBusyError."""
    with store.mutex():
        lock = store.lock(NAME, None)
    try:
        yield
    finally:
        lock.release()


def _seal(store: Place, problems: list[Problem]) -> Seal | None:
    try:
        return seal.read_seal(store) if exists(store, SEAL) else None
    except StoreError as error:
        problems.append(Problem(SEAL, _text(store, error)))
        return None


def _fixed_files(store: Place, sealed: Seal, problems: list[Problem]) -> list[str]:
    """The files that the seal lists and that are others now."""
    wrong = []
    for file in sealed.files:
        try:
            if ledger.fingerprint(store, file.path) == file:
                continue
            reason = "is not the file that was sealed"
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
        wrong.append(file.path)
        problems.append(Problem(file.path, reason))
    return wrong


def _table(store: Place, problems: list[Problem]) -> ShardTable:
    """The ledger of a finished store; empty if it is damaged."""
    if any(problem.path == LEDGER for problem in problems):
        return ShardTable()
    try:
        return ledger.read_table(store)
    except StoreError as error:
        problems.append(Problem(LEDGER, _text(store, error)))
        return ShardTable()


def _proven(store: Place, manifest: Manifest, sealed: Seal) -> ShardTable:
    """A lost ledger, made of the files that lie there; empty if it is not the one of the seal.

    One that is lost together with a shard cannot be made again: then all shards are written again.
    """
    layout, made = Layout(manifest, sealed.tokens), ShardTable()
    recorded = next((file.sha256 for file in sealed.files if file.path == LEDGER), None)
    if isinstance(store.path, str) or layout.shards != sealed.shards:
        return ShardTable()
    try:
        for shard in range(layout.shards):
            names, first = layout.shard_files(shard), shard * manifest.shard_tokens
            digests = file_digests(store, layout, shard)
            sizes = tuple(store.size(name) or 0 for name in names)
            made.put(shard, first, layout.states.shard_length(shard), sizes, digests)
    except (OSError, ValueError):
        return ShardTable()
    data = ledger.table_bytes(made)
    if hashlib.sha256(data).hexdigest() != recorded:
        return ShardTable()
    store.write(LEDGER, [data])
    return made


def _records(store: Place, problems: list[Problem]) -> ShardTable:
    """The ledger of an unfinished store; records that are damaged are removed."""
    while True:
        try:
            return ledger.committed(store)
        except StoreError as error:
            name = next((n for n in _ledger_files(store) if n in str(error)), None)
            if name is None:
                raise
            problems.append(Problem(name, _text(store, error)))
            both = (ledger.BASE, ledger.BASE_TABLE)
            store.remove(*(both if name in both else (name,)))


def _ledger_files(store: Place) -> list[str]:
    """Longest first: one name may begin another."""
    with reading(store):
        return sorted((file.name for file in store.listing(LEDGER_FOLDER)), key=len)[::-1]


def _check(
    store: Place,
    manifest: Manifest,
    records: ShardTable,
    problems: list[Problem],
    progress: Progress | None,
) -> list[int]:
    """The shards whose files are not those of their records."""

    def check(shard: int) -> list[Problem]:
        record: ShardRecord = records[shard]
        layout = Layout(manifest, record.first_token + record.tokens)
        if record.first_token != shard * manifest.shard_tokens:
            return [Problem(LEDGER, f"the record of shard {shard} does not fit")]
        return ShardCheck(store, layout).check(record).problems

    bad, shards = [], list(records)
    results = zip(shards, in_order(check, shards, max(cores(), store.readers)), strict=True)
    for done, (shard, faults) in enumerate(results, start=1):
        problems += faults
        bad += [shard] if faults else []
        if progress:
            progress(done, len(records))
    return bad


def _break(store: Place, records: ShardTable) -> None:
    """Turn a finished store into an unfinished one whose records are those of the table."""
    if records:
        with reading(store):
            ledger.keep_as_base(store, ledger.fingerprint(store, LEDGER))
    store.remove(SEAL)
    store.remove(LEDGER)


def _text(store: Place, error: StoreError) -> str:
    """The reason of an error, without the next step: repairing is the next step."""
    text = str(error).split(": run `")[0]
    return text.removeprefix(f"{store}: ")
