"""`latentcomp store verify --recompute`: a store against the teacher in its manifest.

The stages do not import each other; this module imports them, as `commands/trials.py` does.
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
from ..models.loading import CausalLM, TextSide, load_causal_lm, load_text_side
from ..models.names import shown_name
from ..models.tokens import tokenize_document
from ..store.format.schema import ModelIdentity
from ..store.read.reader import FeatureStore
from ..store.tools.recompute import TOLERANCES, LayerComparison, compare
from .store_teacher import teacher_of

CORPUS: Final = "corpus"
_IDENTITY: Final = (
    "weights_sha256",
    "tokenizer_sha256",
    "config_sha256",
    "architecture",
    "blocks",
    "hidden_size",
)


@dataclass(frozen=True, slots=True)
class RecomputeRequest:
    """Which store to compare, with how many documents and which teacher."""

    store: Path | str
    documents: int
    """Number of random documents; all if the store has fewer."""
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
    """Result of the comparison."""

    teacher: str
    compute_dtype: str
    """Precision of the teacher."""
    tolerance: float
    """Largest relative error of a token that passes."""
    documents: int
    tokens: int
    compared: tuple[LayerComparison, ...]
    """Every layer of every document."""
    retokenized: int
    """Documents whose text lies in the run and was tokenized again."""
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
    """Read random documents of a store again with its teacher, and compare.

    Args:
        request: store, number of documents, teacher.
        progress: called with (documents done, documents in all).

    Raises:
        StoreError: the store is unfinished or damaged, or of another teacher.
        UsageError: the teacher must be named with `--teacher`.
        TeacherError: the teacher cannot be loaded.
    """
    store = FeatureStore(request.store)
    name, revision = teacher_of(store.path, store.manifest.teacher, request.teacher)
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


def _check_teacher(store: FeatureStore, loaded: ModelIdentity) -> None:
    """Another name or revision with the same contents is the same teacher."""
    recorded = store.manifest.teacher
    loaded = loaded.as_recorded(recorded)
    for field in _IDENTITY:
        expected, actual = getattr(recorded, field), getattr(loaded, field)
        if expected != actual:
            raise StoreError(
                f"{store.path}: was extracted with teacher {shown_name(recorded)!r} "
                f"({field} {expected}), but {loaded.name!r} has {field} {actual}: "
                "give the right one with --teacher"
            )


def _load(
    store: FeatureStore, request: RecomputeRequest, name: str, revision: str | None
) -> CausalLM:
    """The teacher in the precision of the extraction, if the run records it."""
    record = read_extraction_record(request.run) if request.run else None
    default = ExtractionRequest(run=request.run or Path(), teacher=name, device=request.device)
    dtype = record.settings.compute_dtype if record else default.settings.compute_dtype
    return load_causal_lm(name, revision=revision, dtype=dtype, device=request.device)


def _retokenize(
    store: FeatureStore, indices: list[int], text_side: TextSide, run: Path
) -> list[str | None]:
    """Tokenize the texts in the run again: a problem or None per document; [] without a corpus."""
    folder = run / CORPUS
    if not (folder / "corpus.json").exists():
        return []
    texts = {document.document_id: document for document in read_corpus(folder).documents}
    problems: list[str | None] = []
    for index in indices:
        stored = store.read(index, layers=())
        text = texts.get(stored.document_id)
        if text is None:
            problems.append(f"document {stored.document_id!r} is not in {folder}")
            continue
        entry = tokenize_document(text_side, text)
        same = np.array_equal(entry.token_ids, stored.token_ids) and np.array_equal(
            entry.chunk_of_token, stored.chunk_index
        )
        problems.append(
            None if same else f"document {stored.document_id!r}: its text has other token ids now"
        )
    return problems
