"""Checking a whole store: every fingerprint, checksum, count and value."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...common.atomic import PARTIAL_SUFFIX
from ...common.errors import StoreError
from ...common.lock import LOCK, MUTEX
from ..format import ledger, seal, statistics
from ..format.encoding import StoredRows
from ..format.identity import owner_sha256
from ..format.layout import (
    DOCUMENTS,
    LEDGER,
    LEDGER_FOLDER,
    MANIFEST,
    SEAL,
    TOKEN_SENTINEL,
    Layout,
    is_store,
)
from ..format.schema import Manifest
from ..format.seal import Seal
from ..format.shard_table import FileRecord, ShardRecord, ShardTable
from ..format.shards import Grid, decode_shard, shard_sha256
from ..format.statistics import Doubles
from ..places.open import place_of
from ..places.protocol import Place, exists
from ..read.document_table import DocumentTable

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Problem:
    """One defect."""

    path: str
    """File, relative to the store."""
    message: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Extent and result of a verification."""

    path: Path | str
    complete: bool
    """True if the store is sealed."""
    documents: int
    tokens: int
    shards: int
    """Shards that were checked."""
    files: int
    """Files that were read in full."""
    bytes_read: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """True if the store is finished and has no problems."""
        return self.complete and not self.problems


def verify(path: Path | str | Place, progress: Progress | None = None) -> VerifyReport:
    """Read a whole store and check every fingerprint, checksum, count and value in it.

    Args:
        path: folder or address of the store.
        progress: called with (shards done, shards in all).

    Raises:
        StoreError: there is no store.
    """
    store = place_of(path)
    if not is_store(store):
        raise StoreError(f"{store}: no feature store here: write one with `extract`")
    check = _Check(store)
    try:
        manifest = ledger.read_sealed(store, MANIFEST, Manifest)
        sealed = seal.read_seal(store) if exists(store, SEAL) else None
        if sealed:
            check.fixed_files(sealed)
        records = ledger.read_table(store) if sealed else ledger.committed(store)
        table = DocumentTable(store)
        layout = Layout(manifest, sealed.tokens if sealed else table.tokens)
        check.contents(layout, sealed, records, table, progress)
    except StoreError as error:
        check.problem("", str(error))
    return check.report()


@dataclass(slots=True)
class _Check:
    """The state of one verification."""

    store: Place
    problems: list[Problem] = field(default_factory=list)
    complete: bool = False
    documents: int = 0
    tokens: int = 0
    shards: int = 0
    files: int = 0
    bytes_read: int = 0

    def problem(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message.removeprefix(f"{self.store}: ")))

    def report(self) -> VerifyReport:
        return VerifyReport(
            self.store.path,
            self.complete,
            self.documents,
            self.tokens,
            self.shards,
            self.files,
            self.bytes_read,
            tuple(self.problems),
        )

    def fixed_files(self, sealed: Seal) -> None:
        """Everything but the shards. Raises: StoreError, since nothing can be read without."""
        before = len(self.problems)
        for file in sealed.files:
            self.read(file)
        if len(self.problems) > before:
            raise StoreError(f"{self.store}: shards not checked, since what describes them is bad")

    def read(self, file: FileRecord, hashed: bool = True) -> bytes | None:
        """The bytes of a file if its size and, unless `hashed` is False, its hash are right."""
        try:
            data = self.store.read(file.path)
        except OSError as error:
            self.problem(file.path, f"cannot be read ({error.strerror or error})")
            return None
        self.files += 1
        self.bytes_read += len(data)
        if len(data) != file.bytes:
            self.problem(file.path, f"has {len(data)} bytes instead of {file.bytes}")
            return None
        if hashed and hashlib.sha256(data).hexdigest() != file.sha256:
            self.problem(file.path, "its SHA-256 is not the recorded one")
            return None
        return data

    def contents(
        self,
        layout: Layout,
        sealed: Seal | None,
        records: ShardTable,
        table: DocumentTable,
        progress: Progress | None,
    ) -> None:
        self.complete = sealed is not None
        self.documents, self.tokens = table.documents, layout.tokens
        ids = np.full(layout.tokens, TOKEN_SENTINEL, np.uint32)
        partials: list[Doubles] = []
        for shard in range(layout.shards):
            record = records.get(shard)
            if record:
                first = shard * layout.manifest.shard_tokens
                part = ids[first : first + layout.states.shard_length(shard)]
                self._shard(layout, record, part, partials)
            elif sealed:
                self.problem(LEDGER, f"shard {shard} has no record")
            if progress:
                progress(shard + 1, layout.shards)
        if sealed:
            self._counts(layout, sealed, records, table, partials)
            self._foreign_files(sealed, records)
            self._documents(table, ids)
        else:
            done = f"{len(records)} of {layout.shards} shards are committed"
            self.problem(SEAL, f"missing, the store is not finished: {done}")

    def _shard(
        self,
        layout: Layout,
        record: ShardRecord,
        ids: npt.NDArray[np.uint32],
        partials: list[Doubles],
    ) -> None:
        self.shards += 1
        names = layout.shard_files(record.shard)
        length = layout.states.shard_length(record.shard)
        first = record.shard * layout.manifest.shard_tokens
        if (record.tokens, record.first_token) != (length, first) or names != tuple(
            file.path for file in record.files
        ):
            self.problem(names[0], f"the ledger's record of shard {record.shard} does not fit")
            return
        states = self._chunks(layout.states, layout, record.shard, record.files[0])
        tokens = self._chunks(layout.token_ids, layout, record.shard, record.files[1])
        data = self.read(record.files[2])
        if states is None or tokens is None or data is None:
            return
        rows = len(layout.statistics_rows)
        try:
            sums = statistics.decode(data, len(layout.manifest.layers), rows, layout.hidden)
        except ValueError as error:
            self.problem(names[2], f"shard {record.shard}: {error}")
            return
        ids[:] = tokens.view("<u4")[0, :length, 0]
        partials.append(sums)
        self._values(layout, record.shard, states, length, sums)

    def _chunks(
        self, grid: Grid, layout: Layout, shard: int, file: FileRecord
    ) -> StoredRows | None:
        """Everything in a shard file, if it is what was written."""
        data = self.read(file, hashed=False)
        if data is None:
            return None
        try:
            rows = decode_shard(grid, owner_sha256(layout.manifest), shard, data)
            if shard_sha256(grid, shard, data) != file.sha256:
                raise ValueError("its fingerprint is not the recorded one")
        except ValueError as error:
            self.problem(file.path, f"shard {shard}: {error}")
            return None
        return rows

    def _values(
        self, layout: Layout, shard: int, states: StoredRows, length: int, sums: Doubles
    ) -> None:
        name, form = layout.shard_files(shard), layout.encoding
        for column, layer in enumerate(layout.manifest.layers):
            bits = form.decode(states[column, :length])
            actual = statistics.Sums(layout.dtype, layout.hidden)
            actual.add(bits)
            if not actual.finite:
                where = f"shard {shard}, layer after {layer.blocks_completed} blocks"
                self.problem(name[0], f"{where}: a state is NaN or infinite")
                return
            if not np.array_equal(actual.values, sums[column, : len(actual.values)]):
                self.problem(name[2], f"shard {shard}: statistics are not those of the states")
        padding = states[:, length:].view(form.array_dtype)
        if (padding != form.fill).any():
            self.problem(name[0], f"shard {shard}: the padding is not the fill value")

    def _counts(
        self,
        layout: Layout,
        sealed: Seal,
        records: ShardTable,
        table: DocumentTable,
        partials: list[Doubles],
    ) -> None:
        counts = (table.documents, table.chunks, table.tokens, len(records))
        if counts != (sealed.documents, sealed.chunks, sealed.tokens, sealed.shards):
            self.problem(SEAL, "counts of documents, chunks, tokens or shards do not fit")
        stored = sum(file.bytes for record in records.values() for file in record.files)
        if stored != sealed.shard_bytes:
            self.problem(SEAL, f"shard_bytes is {sealed.shard_bytes}, the ledger says {stored}")
        if len(partials) == layout.shards:
            summary = statistics.summarise(layout.manifest.layers, layout.tokens, partials)
            if summary != sealed.statistics:
                self.problem(SEAL, "statistics are not those of the shards")

    def _foreign_files(self, sealed: Seal, records: ShardTable) -> None:
        expected = {file.path for record in records.values() for file in record.files}
        expected |= {file.path for file in sealed.files} | {SEAL}
        for name in self.store.names():
            leftover = name.startswith(f"{LEDGER_FOLDER}/") or name.endswith(PARTIAL_SUFFIX)
            if name not in expected and not name.startswith((LOCK, MUTEX)):
                hint = "left by a killed run" if leftover else "it belongs to no store"
                self.problem(name, f"not a file of this store ({hint}): remove it")

    def _documents(self, table: DocumentTable, ids: npt.NDArray[np.uint32]) -> None:
        first_tokens: dict[str, int] = {}
        end = 0
        for index, digest in enumerate(table.tokens_sha256):
            row = table.row(index)
            start = first_tokens.setdefault(digest, end)
            end += row.tokens if start == end else 0
            if row.first_token != start or row.spans[0] != 0 or (np.diff(row.spans) < 0).any():
                self.problem(DOCUMENTS, f"{row.document_id!r}: token spans do not fit")
            part = ids[start : start + row.tokens].astype("<u4")
            if hashlib.sha256(part.tobytes()).hexdigest() != digest:
                self.problem(DOCUMENTS, f"{row.document_id!r}: token ids do not fit")
