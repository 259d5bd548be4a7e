"""Checking a whole store: every fingerprint, checksum, count and value.

Shards are checked by all cores at once and counted in their order, so that what is in memory does
not grow with the store; a run that is interrupted goes on where it was (`verify_journal`).
"""

import contextlib
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from ...common.atomic import PARTIAL_SUFFIX
from ...common.errors import StoreError
from ...common.lock import LOCK, MUTEX
from ...common.threads import cores, in_order
from ..format import ledger, seal
from ..format.identity import owner_sha256
from ..format.layout import (
    LEDGER,
    LEDGER_FOLDER,
    MANIFEST,
    SEAL,
    Layout,
    is_store,
    shard_files,
)
from ..format.schema import Manifest
from ..format.seal import Seal
from ..format.shard_table import ShardTable
from ..format.statistics import Total
from ..format.steps import RESTORE, repair_step
from ..places.open import place_of
from ..places.protocol import Place, exists
from ..read.document_table import DocumentTable
from .document_check import DocumentCheck
from .shard_check import Problem, ShardCheck, ShardResult
from .verify_journal import VerifyJournal

Progress = Callable[[int, int], None]
_SHARD_FILE = re.compile(r"[a-z_]+/c\.(\d{1,18})[.0]*")


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
    earlier: int
    """Those of them whose states were checked by an interrupted run and not changed since."""
    files: int
    """Files that were read in full."""
    bytes_read: int
    problems: tuple[Problem, ...]

    @property
    def step(self) -> str:
        """What to do about the problems, for messages."""
        if all(problem.message.endswith(": remove it") for problem in self.problems):
            return "remove the files that belong to no store"
        names = {problem.path for problem in self.problems}
        alone = MANIFEST in names and LEDGER not in names  # both: it is the seal that is another's
        if alone or any(RESTORE in problem.message for problem in self.problems):
            return f"{MANIFEST}: {RESTORE}"
        if any("update latentcomp" in problem.message for problem in self.problems):
            return "update latentcomp"
        return repair_step(place_of(self.path))

    @property
    def ok(self) -> bool:
        """True if the store is finished and has no problems."""
        return self.complete and not self.problems


def verify(
    path: Path | str | Place,
    progress: Progress | None = None,
    *,
    resume: bool = True,
    threads: int | None = None,
) -> VerifyReport:
    """Read a whole store and check every fingerprint, checksum, count and value in it.

    Args:
        path: folder or address of the store.
        progress: called with (shards done, shards in all).
        resume: go on with a run that was interrupted: states that it found sound, in files that
            did not change since, are not read again.
        threads: that check shards at once; None for one a core.

    Raises:
        StoreError: there is no store.
    """
    store = place_of(path)
    if not is_store(store):
        raise StoreError(f"{store}: no feature store here: write one with `extract`")
    check = _Check(store, threads or max(cores(), store.readers), resume)
    try:
        manifest = ledger.read_sealed(store, MANIFEST, Manifest)
        sealed = seal.read_seal(store) if exists(store, SEAL) else None
        if sealed:
            check.fixed_files(sealed)
        records = ledger.read_table(store) if sealed else ledger.committed(store)
        table = DocumentTable(store)
        layout = Layout(manifest, sealed.tokens if sealed else table.tokens)
        if sealed and not layout.shards == sealed.shards <= 2 * len(records):  # before memory is
            raise ledger.damaged(store, SEAL, "counts of tokens and shards do not fit")
        check.contents(layout, sealed, records, table, progress)
    except StoreError as error:
        check.problem("", str(error))
    return check.report()


@dataclass(slots=True)
class _Check:
    """The state of one verification."""

    store: Place
    threads: int
    resume: bool
    problems: list[Problem] = field(default_factory=list)
    complete: bool = False
    documents: int = 0
    tokens: int = 0
    shards: int = 0
    earlier: int = 0
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
            self.earlier,
            self.files,
            self.bytes_read,
            tuple(self.problems),
        )

    def fixed_files(self, sealed: Seal) -> None:
        """Everything but the shards. Raises: StoreError, since nothing can be read without."""
        before = len(self.problems)
        for file in sealed.files:
            try:
                actual = ledger.fingerprint(self.store, file.path)
            except OSError as error:
                self.problem(file.path, f"cannot be read ({error.strerror or error})")
                continue
            self.files += 1
            self.bytes_read += actual.bytes
            if actual.bytes != file.bytes:
                self.problem(file.path, f"has {actual.bytes} bytes instead of {file.bytes}")
            elif actual.sha256 != file.sha256:
                self.problem(file.path, "its SHA-256 is not the recorded one")
        if len(self.problems) > before:
            raise StoreError(f"{self.store}: shards not checked, since what describes them is bad")

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
        documents = DocumentCheck(self.store, table, self.problem) if sealed else None
        total, summed = Total(), 0
        # Closed at once when this is interrupted: what was checked until then is kept.
        with contextlib.closing(self._results(layout, records)) as results:
            for shard, result in enumerate(results):
                if result is not None and result.sums is not None:
                    total.add(result.sums)
                    summed += 1
                elif result is None and sealed:
                    self.problem(LEDGER, f"shard {shard} has no record")
                if documents:
                    length = layout.states.shard_length(shard)
                    documents.feed(result.ids if result else None, length)
                if progress:
                    progress(shard + 1, layout.shards)
        if sealed and documents:
            self._counts(sealed, records, table)
            if summed == layout.shards:
                summary = total.summary(layout.manifest.layers, layout.tokens)
                if summary != sealed.statistics:
                    self.problem(SEAL, "statistics are not those of the shards")
            self._foreign_files(sealed, records)
            documents.finish()
        else:
            done = f"{len(records)} of {layout.shards} shards are committed"
            self.problem(SEAL, f"missing, the store is not finished: {done}")

    def _results(
        self, layout: Layout, records: ShardTable
    ) -> Generator[ShardResult | None, None, None]:
        """What was found in every shard, in order; None for those without a record."""
        owner, one = owner_sha256(layout.manifest), ShardCheck(self.store, layout)
        try:
            journal = VerifyJournal(self.store, layout, owner, resume=self.resume)
        except OSError as error:
            raise StoreError(f"{self.store}: cannot be listed ({error.strerror})") from error

        def check(shard: int) -> ShardResult | None:
            record = records.get(shard)
            return one.check(record, known=journal.holds(record)) if record else None

        finished = False
        try:
            for shard, result in enumerate(in_order(check, range(layout.shards), self.threads)):
                if result is not None:
                    self._count(result, journal, records)
                yield result
                finished = shard == layout.shards - 1
        finally:
            journal.close(finished=finished)

    def _count(self, result: ShardResult, journal: VerifyJournal, records: ShardTable) -> None:
        self.shards += 1
        self.files += result.files
        self.bytes_read += result.bytes_read
        self.problems += result.problems
        record = records[result.shard]
        self.earlier += journal.holds(record)
        if not result.problems:
            journal.add(record)

    def _counts(self, sealed: Seal, records: ShardTable, table: DocumentTable) -> None:
        counts = (table.documents, table.chunks, table.tokens, len(records))
        if counts != (sealed.documents, sealed.chunks, sealed.tokens, sealed.shards):
            self.problem(SEAL, "counts of documents, chunks, tokens or shards do not fit")
        stored = sum(sum(records.sizes(shard)) for shard in records)
        if stored != sealed.shard_bytes:
            self.problem(SEAL, f"shard_bytes is {sealed.shard_bytes}, the ledger says {stored}")

    def _foreign_files(self, sealed: Seal, records: ShardTable) -> None:
        fixed = {file.path for file in sealed.files} | {SEAL}
        for name in self.store.names():
            shard = _SHARD_FILE.fullmatch(name)
            of_shard = shard and int(shard[1]) in records and name in shard_files(int(shard[1]))
            leftover = name.startswith(f"{LEDGER_FOLDER}/") or name.endswith(PARTIAL_SUFFIX)
            if not of_shard and name not in fixed and not name.startswith((LOCK, MUTEX)):
                hint = "left by a killed run" if leftover else "it belongs to no store"
                self.problem(name, f"not a file of this store ({hint}): remove it")
