"""`latentcomp store verify --recompute`: the store against the teacher that it says it is of.

The stages do not know each other; this module knows them, as `commands/training.py` does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..common.errors import StoreError
from ..corpus.files import read_corpus
from ..extract.record import read_extraction_record
from ..extract.request import ExtractionRequest
from ..extract.teachers.transformers_teacher import TransformersTeacher
from ..models.files import LAB_FOLDERS
from ..models.loading import CausalLM, TextSide, load_causal_lm, load_text_side
from ..models.tokens import tokenize_document
from ..store.format.schema import ModelIdentity
from ..store.read.reader import FeatureStore
from ..store.tools.recompute import TOLERANCES, LayerComparison, compare

CORPUS: Final = "corpus"
_WHO: Final = ("weights_sha256", "tokenizer_sha256", "architecture", "blocks", "hidden_size")


@dataclass(frozen=True, slots=True)
class RecomputeRequest:
    """What to compare with what."""

    store: Path | str
    documents: int
    """How many, drawn at random; all if the store has fewer."""
    seed: int = 0
    """Of the draw."""
    teacher: str | None = None
    """Folder or hub id; None takes the name in the manifest."""
    device: str = "auto"

    @property
    def run(self) -> Path | None:
        """The run folder that the store lies in; None for one at an address."""
        return self.store.parent if isinstance(self.store, Path) else None


@dataclass(frozen=True, slots=True)
class RecomputeReport:
    """What came of it."""

    teacher: str
    compute_dtype: str
    """Precision in which the teacher read."""
    tolerance: float
    """Largest relative error of a token that was let pass."""
    documents: int
    tokens: int
    compared: tuple[LayerComparison, ...]
    """Every layer of every document."""
    retokenized: int
    """Documents whose text was at hand and was split into tokens again."""
    problems: tuple[str, ...]
    """What differs, with document and layer."""

    @property
    def exact(self) -> float:
        """Share of the values that are equal to the last bit."""
        return float(np.mean([layer.exact for layer in self.compared]))

    @property
    def largest_error(self) -> float:
        """Largest relative error of a token."""
        return max(layer.error for layer in self.compared)


def recompute(
    request: RecomputeRequest, progress: Callable[[int, int], None] | None = None
) -> RecomputeReport:
    """Read random documents of a store with its teacher again, and compare.

    Args:
        request: which store, how many.
        progress: called with (documents done, documents in all).

    Raises:
        StoreError: the store is unfinished or damaged, or of another teacher.
        TeacherError: the teacher cannot be loaded.
    """
    store = FeatureStore(request.store)
    name, revision = _name(store, request)
    text_side = load_text_side(name, revision=revision)
    _check_teacher(store, text_side.identity)
    lm = _load(store, request, name, revision)
    reader = TransformersTeacher(lm)
    indices = store.order(request.seed, 0)[: request.documents].tolist()
    dtype = str(lm.model.dtype).removeprefix("torch.")
    tolerance = TOLERANCES[dtype]
    compared: list[LayerComparison] = []
    for done, index in enumerate(indices, start=1):
        compared += compare(
            store, [index], lambda ids, layers: reader.states([ids], layers)[0], tolerance
        )
        if progress:
            progress(done, len(indices))
    texts = _retokenize(store, indices, text_side, request.run) if request.run else []
    return RecomputeReport(
        teacher=name,
        compute_dtype=dtype,
        tolerance=tolerance,
        documents=len(indices),
        tokens=int(store.lengths[indices].sum()),
        compared=tuple(compared),
        retokenized=len(texts),
        problems=(
            *(str(layer) for layer in compared if not layer.ok),
            *(problem for problem in texts if problem is not None),
        ),
    )


def _name(store: FeatureStore, request: RecomputeRequest) -> tuple[str, str | None]:
    known = store.manifest.teacher
    if request.teacher is not None:
        return request.teacher, None
    if known.revision is None and known.name not in LAB_FOLDERS:
        raise StoreError(
            f"{store.path}: its teacher {known.name!r} was a folder of one's own: "
            "say where it lies with --teacher"
        )
    return known.name, known.revision


def _check_teacher(store: FeatureStore, found: ModelIdentity) -> None:
    """Another name or revision with the same contents is the same teacher."""
    known = store.manifest.teacher
    for field in _WHO:
        stored, given = getattr(known, field), getattr(found, field)
        if stored != given:
            raise StoreError(
                f"{store.path}: was extracted with teacher {known.name!r} ({field} {stored}), but "
                f"{found.name!r} has {field} {given}: give the right one with --teacher"
            )


def _load(
    store: FeatureStore, request: RecomputeRequest, name: str, revision: str | None
) -> CausalLM:
    """The teacher in the precision that the run was extracted with, where that is known."""
    record = read_extraction_record(request.run) if request.run else None
    asked = ExtractionRequest(run=request.run or Path(), teacher=name, device=request.device)
    dtype = record.settings.compute_dtype if record else asked.settings.compute_dtype
    return load_causal_lm(name, revision=revision, dtype=dtype, device=request.device)


def _retokenize(
    store: FeatureStore, indices: list[int], text_side: TextSide, run: Path
) -> list[str | None]:
    """For every document whose text lies in the run: what is wrong with its tokens, if anything."""
    folder = run / CORPUS
    if not (folder / "corpus.json").exists():
        return []
    texts = {document.document_id: document for document in read_corpus(folder).documents}
    found: list[str | None] = []
    for index in indices:
        stored = store.read(index, layers=())
        text = texts.get(stored.document_id)
        if text is None:
            found.append(f"document {stored.document_id!r} is not in {folder}")
            continue
        entry = tokenize_document(text_side, text)
        same = np.array_equal(entry.token_ids, stored.token_ids) and np.array_equal(
            entry.chunk_of_token, stored.chunk_index
        )
        found.append(
            None if same else f"document {stored.document_id!r}: its text has other token ids now"
        )
    return found
