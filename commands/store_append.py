"""`latentcomp store append`: more documents for a run that is finished, extracted once each.

It can be killed at any moment and resumes when it is run again: the union of the documents is
written beside the old corpus, the new ones are added to the tables of the store, the corpora are
swapped by renames, and then a normal extraction skips what the store has.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from ..common.errors import CorpusError, StoreError
from ..common.lock import Lock
from ..corpus.files import Corpus, read_corpus
from ..corpus.records import Document
from ..corpus.swap import draft, settle
from ..extract.request import ExtractionOutcome, ExtractionRequest
from ..extract.runner import extract
from ..models.loading import load_text_side
from ..models.tokens import tokenize_document
from ..store.format.documents import Documents
from ..store.format.layout import MANIFEST, is_store
from ..store.format.ledger import read_sealed
from ..store.format.schema import Manifest
from ..store.places.open import place_of
from ..store.places.protocol import Place
from ..store.write.writer import StoreWriter
from .store_teacher import extraction_of

CORPUS: Final = "corpus"
NAME: Final = "latentcomp store append"


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """Which documents to add to which run."""

    run: Path
    """Run folder with a store."""
    corpus: Path
    """Folder or JSONL file with the new documents."""
    teacher: str | None = None
    """Folder or hub id of the teacher; None takes the name in the manifest."""
    device: str = "auto"


def append(request: AppendRequest, console: Console) -> ExtractionOutcome:
    """Add documents to a run: to its corpus and, with the same teacher, to its store.

    A document that is stored already, or has the tokens of a stored one, is not read again.

    Raises:
        CorpusError: the new corpus cannot be read, or has another document under an existing id.
        StoreError: there is no store, or it is damaged or of another teacher.
        TeacherError: the teacher cannot be loaded.
        UsageError: the teacher must be named with `--teacher`.
    """
    place = place_of(request.run / "store")
    if not is_store(place):
        raise StoreError(f"{place}: no feature store here to append to: write one with `extract`")
    with Lock(request.run, NAME):
        return _append(request, place, console)


def _append(request: AppendRequest, place: Place, console: Console) -> ExtractionOutcome:
    manifest = read_sealed(place, MANIFEST, Manifest)
    folder = request.run / CORPUS
    settle(folder, manifest.corpus_sha256)
    present, more = read_corpus(folder), read_corpus(request.corpus)
    if present.sha256 != manifest.corpus_sha256:
        raise StoreError(
            f"{folder}: sha256 {present.sha256[:12]}, but the run's store is of a corpus with "
            f"sha256 {manifest.corpus_sha256[:12]}: put that one back, or choose another --run"
        )
    documents = _union(present, more, request.corpus)
    extraction = extraction_of(request.run, manifest, request.teacher, request.device)
    if len(documents) > len(present.documents):
        union = draft(folder, documents, _meta(present, more), present.sha256)
        _grow(extraction, manifest, union)
        settle(folder, union.sha256)
    return extract(extraction, console)


def _union(present: Corpus, more: Corpus, path: Path) -> tuple[Document, ...]:
    existing = {document.document_id: document for document in present.documents}
    new = []
    for document in more.documents:
        same_id = existing.get(document.document_id)
        if same_id is None:
            new.append(document)
        elif same_id != document:
            raise CorpusError(
                f"{path}: document {document.document_id!r} is in the run already, but not the "
                "same: rename it"
            )
    return (*present.documents, *new)


def _meta(present: Corpus, more: Corpus) -> dict[str, Any]:
    earlier = present.meta.get("parts") or [_part(present)]
    return {"source": "appended", "parts": [*earlier, _part(more)]}


def _part(corpus: Corpus) -> dict[str, Any]:
    return {"sha256": corpus.sha256, "documents": len(corpus.documents), "meta": corpus.meta}


def _grow(extraction: ExtractionRequest, manifest: Manifest, union: Corpus) -> None:
    """Add the new documents to the tables of the store; the extraction then reads them."""
    text_side = load_text_side(extraction.teacher, revision=extraction.revision)
    wanted = manifest.model_copy(
        update={
            "corpus_sha256": union.sha256,
            "teacher": text_side.identity.as_recorded(manifest.teacher),
        }
    )
    documents = Documents(tokenize_document(text_side, document) for document in union.documents)
    with StoreWriter(extraction.store, wanted, documents, name=NAME, extend=True):
        pass
