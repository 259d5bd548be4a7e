"""`latentcomp store repair`: what is damaged or missing in a store is read again, the rest kept."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from ..common.errors import StoreError
from ..corpus.files import in_use, is_corpus
from ..extract.job import prepare
from ..extract.request import ExtractionRequest
from ..extract.runner import extract
from ..store.format.layout import MANIFEST, is_store
from ..store.format.ledger import read_sealed
from ..store.format.schema import Manifest
from ..store.places.open import place_of
from ..store.tools.repair import Reopened, drop_foreign, reopen, seal_again
from ..store.tools.verify import verify
from .store_teacher import extraction_of

_SHOWN: Final = 20
"""Problems that are printed."""


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """Which store to repair."""

    store: Path | str
    """Its folder or address."""
    teacher: str | None = None
    """Folder or hub id; None takes the name in the manifest."""
    device: str | None = None
    """Of the teacher; None takes the recorded one."""


def repair(
    request: RepairRequest, console: Console, progress: Callable[[int, int], None] | None = None
) -> Reopened:
    """Check every shard, and have the teacher read those again that are damaged or missing.

    A run has its corpus, so its store is finished here. Of any other store, what is sound is kept,
    and it is sealed if nothing is missing.

    Args:
        request: store and teacher.
        console: for problems and for the extraction.
        progress: called with (shards done, shards in all).

    Raises:
        StoreError: there is no store, its manifest is damaged, or shards are missing and there is
            no corpus to read them from.
        UsageError: the teacher must be named with `--teacher`.
        TeacherError: the teacher cannot be loaded.
    """
    place = place_of(request.store)
    if not is_store(place):
        raise StoreError(f"{place}: no feature store here: write one with `extract`")
    extraction = _extraction(request)  # before anything is changed: the teacher may have no name
    reopened = reopen(place, progress)
    for problem in reopened.problems[:_SHOWN]:
        console.print(f"{problem.path}: {problem.message}")
    if len(reopened.problems) > _SHOWN:
        console.print(f"and {len(reopened.problems) - _SHOWN:,} more")
    if reopened.sealed:
        console.print(f"{place}: every shard is sound; nothing to repair")
        return reopened
    console.print(f"{place}: {reopened.kept:,} shards are sound and kept")
    if extraction is not None:
        job = prepare(extraction)
        drop_foreign(place, job.manifest, job.entries)
        extract(extraction, console)
    elif not seal_again(place):
        raise StoreError(
            f"{place}: {reopened.kept:,} shards are sound and kept, others are missing, and no "
            "corpus lies beside it: run the command that wrote this store again, such as `store "
            f"merge` with the same sources and --out {place}"
        )
    else:
        _check_sealed(place.path, console)
    return reopened


def _extraction(request: RepairRequest) -> ExtractionRequest | None:
    """The request that extracted the store; None if no corpus lies beside it."""
    place = place_of(request.store)
    if not isinstance(place.path, Path):
        return None
    run = place.path.parent
    if place.path.name != "store" or not is_corpus(in_use(run / "corpus")):
        return None
    manifest = read_sealed(place, MANIFEST, Manifest)
    return extraction_of(run, manifest, request.teacher, request.device)


def _check_sealed(path: Path | str, console: Console) -> None:
    """What no corpus says: that the documents are those of the token ids."""
    report = verify(path)
    if not report.ok:
        raise StoreError(
            f"{path}: {report.problems[0].path}: {report.problems[0].message}: no corpus lies "
            "beside it, so write the store again elsewhere"
        )
    console.print(f"{path}: sealed again; complete and sound")
