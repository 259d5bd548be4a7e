"""Scored answers: whether a prediction is right, and whether it is a value that was replaced."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..common import atomic
from ..common.errors import LatentcompError
from ..corpus.records import Document, Question
from .exact import exact_match
from .near_miss import near_miss
from .text_match import choice, contains, squad_match, token_f1

Scorer = Callable[[str, str], bool]
"""(prediction, expected answer) -> whether the prediction is that answer."""

EXACT = "exact"
SCORERS: dict[str, Scorer] = {
    EXACT: exact_match,
    "squad": squad_match,
    "contains": contains,
    "choice": choice,
}
"""By name. A new scorer is one file with such a function and one entry here."""


def check_scorer(name: str) -> None:
    """Refuse a name that no scorer has. Raises: LatentcompError, with those there are."""
    if name not in SCORERS:
        raise LatentcompError(f"there is no scorer {name!r}; the scorers are {', '.join(SCORERS)}")


@dataclass(frozen=True, slots=True)
class Score:
    """Whether a prediction is right, and if not, whether it is out of date."""

    correct: bool
    """The prediction is the answer, by the scorer."""
    stale: bool
    """It is a value that a later chunk replaced, and not the answer."""


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One answer of one arm to one question."""

    document_id: str
    """Document the question is about, or the beginning of one (`original`)."""
    question_id: str
    """Unique within its document."""
    family: str
    """Question family, such as `fact` or `as_of`."""
    bucket: str
    """Third of the document that holds the latest evidence: early, middle, late; "" if unknown."""
    arm: str
    """What the reasoner read (`evaluate/arms/table.py`)."""
    prediction: str
    """Greedily generated text, as generated."""
    answer: str
    """The right answer, or the first of several."""
    correct: bool
    """The prediction is the answer."""
    stale: bool
    """The prediction is a replaced value."""
    can_be_stale: bool = False
    """The question has replaced values at all: the denominator of the stale rate."""
    form: str = ""
    """What kind of string the answer is (`corpus.records.FORMS`); "" if unknown."""
    needs_days: bool | None = None
    """Whether the text as it ships allows another answer; None if unknown."""
    near: str = ""
    """What a wrong answer is nearest to (`near_miss.VERDICTS`); "" of right ones."""
    age: int | None = None
    """Chunks behind the last one that settles the answer; None where that is not known."""
    overrides: int | None = None
    """Values that were replaced before the answer held; None as above."""
    f1: float | None = None
    """Words in common with the nearest right answer; None where exact match decides."""
    original: str = ""
    """Document that this is a beginning of; "" of whole documents."""
    read: int | None = None
    """Chunks that were read; None where that is not known."""

    @property
    def cluster(self) -> str:
        """The independent unit, which intervals resample: all beginnings of a document are one."""
        return self.original or self.document_id


def score(question: Question, prediction: str, scorer: str = EXACT) -> Score:
    """Compares a prediction with the answer and with the replaced values of a question."""
    matches = SCORERS[scorer]
    correct = any(matches(prediction, answer) for answer in question.answers)
    stale = not correct and any(matches(prediction, value) for value in question.stale_answers)
    return Score(correct, stale)


def score_answer(
    document_id: str,
    question: Question,
    arm: str,
    prediction: str,
    scorer: str = EXACT,
    *,
    chunks: int | None = None,
    original: str = "",
) -> ScoredAnswer:
    """Scores one prediction and keeps with it all that the statistics need.

    Args:
        document_id: of the document.
        question: about it.
        arm: that answered.
        prediction: as generated.
        scorer: a key of `SCORERS`.
        chunks: of the document, for the age of the answer; None if it is not wanted.
        original: document that it is a beginning of; "" of a whole one.
    """
    last = question.evidence[-1] if question.evidence else None
    age = None if chunks is None or last is None or last >= chunks else chunks - 1 - last
    scored = score(question, prediction, scorer)
    return ScoredAnswer(
        document_id=document_id,
        question_id=question.question_id,
        family=question.family,
        bucket=question.bucket or "",
        arm=arm,
        prediction=prediction,
        answer=question.answer,
        correct=scored.correct,
        stale=scored.stale,
        can_be_stale=bool(question.stale_answers),
        form=question.form,
        needs_days=question.needs_days,
        near="" if scored.correct else near_miss(prediction, question),
        age=age,
        overrides=None if age is None else len(question.stale_answers),
        f1=None if scorer == EXACT else token_f1(prediction, question.answers),
        original=original,
        read=chunks or None,
    )


def rescore(
    rows: Iterable[ScoredAnswer], documents: Iterable[Document], scorer: str = EXACT
) -> tuple[ScoredAnswer, ...]:
    """Scores recorded predictions again; of each row only ids, arm and prediction are believed.

    Args:
        rows: answers as they were recorded.
        documents: what the questions are about; every arm must have answered all questions.
        scorer: a key of `SCORERS`.

    Raises:
        LatentcompError: a question does not exist, or an arm answered one twice or not at all.
    """
    questions = {
        (document.document_id, question.question_id): (question, document)
        for document in documents
        for question in document.questions
    }
    rescored: list[ScoredAnswer] = []
    answered: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        key = (row.document_id, row.question_id)
        if key not in questions:
            raise _unusable(key, f"which the arm {row.arm} answered, is not in the documents")
        if key in answered.setdefault(row.arm, set()):
            raise _unusable(key, f"was answered twice by the arm {row.arm}")
        answered[row.arm].add(key)
        question, document = questions[key]
        rescored.append(
            score_answer(
                key[0],
                question,
                row.arm,
                row.prediction,
                scorer,
                chunks=len(document.chunks),
                original=document.beginning_of or "",
            )
        )
    for arm, keys in answered.items():
        if missing := questions.keys() - keys:
            raise _unusable(
                min(missing),
                f"is not answered by the arm {arm}, nor are {len(missing) - 1} other questions",
            )
    return tuple(rescored)


def _unusable(key: tuple[str, str], fault: str) -> LatentcompError:
    document, question = key
    return LatentcompError(
        f"question {question!r} of document {document!r} {fault}; the answers are not those of "
        "these documents, run `latentcomp evaluate` again"
    )


_TEXT_COLUMNS = (
    "document_id",
    "question_id",
    "family",
    "bucket",
    "arm",
    "prediction",
    "answer",
)
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXT_COLUMNS]
    + [(name, pa.bool_()) for name in ("correct", "stale", "can_be_stale")]
    + [("form", pa.string()), ("needs_days", pa.bool_()), ("near", pa.string())]
    + [("age", pa.int32()), ("overrides", pa.int32()), ("f1", pa.float64())]
    + [("original", pa.string()), ("read", pa.int32())]
)
_ADDED = {
    "form": "", "needs_days": None, "near": "", "age": None, "overrides": None, "f1": None,
    "original": "", "read": None,
}  # fmt: skip
"""Columns that files of earlier versions lack -> what stands for them."""


@dataclass(frozen=True, slots=True)
class AnswersSource:
    """What a file of answers is of."""

    checkpoint: str
    """SHA-256 of the weights."""
    reasoner: str
    """SHA-256 of the weights of the model that answered."""
    ratio: float
    """Nominal tokens per latent."""
    corpus: str
    """SHA-256 of the documents."""
    scorer: str = EXACT
    """What decided which answers are right: a key of `SCORERS`."""
    tokens: int | None = None
    """Of the documents, as the teacher read them; None in files from before this was kept."""
    vectors: dict[str, int] | None = None
    """Arm -> vectors that the reasoner had before the questions, summed over documents."""


_SOURCE = b"latentcomp"
"""Key of the metadata of the Parquet file."""


def write_answers(
    path: Path, rows: Sequence[ScoredAnswer], source: AnswersSource | None = None
) -> None:
    """Writes every single answer as Parquet, so that later phases can be paired with this one."""
    # Column by column: `asdict` copies every value of every row, which took longer than scoring.
    columns = {name: [getattr(row, name) for row in rows] for name in _SCHEMA.names}
    schema = _SCHEMA
    if source is not None:
        schema = schema.with_metadata({_SOURCE: json.dumps(asdict(source)).encode()})
    atomic.write_parquet(path, pa.Table.from_pydict(columns, schema=schema))


def read_source(path: Path) -> AnswersSource:
    """The origin that a file of answers records.

    Raises:
        LatentcompError: it is unreadable, or of a version that did not record it.
    """
    try:
        return AnswersSource(**json.loads((pq.read_schema(path).metadata or {})[_SOURCE]))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise LatentcompError(
            f"{path}: it does not say what its answers are of; run `latentcomp evaluate` again"
        ) from error


def read_answers(path: Path) -> tuple[ScoredAnswer, ...]:
    """Reads what `write_answers` wrote.

    Raises:
        LatentcompError: the file is missing, damaged, or not a file of answers.
    """
    try:
        table = _completed(pq.read_table(path)).cast(_SCHEMA)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise LatentcompError(
            f"{path}: not a readable file of answers ({reason}); run `latentcomp evaluate` again."
        ) from error
    return tuple(ScoredAnswer(**record) for record in table.to_pylist())


def _completed(table: pa.Table) -> pa.Table:
    """The table with the columns that came later, empty where the file is older than they are."""
    for name, value in _ADDED.items():
        if name not in table.column_names:
            column = pa.array([value] * table.num_rows, _SCHEMA.field(name).type)
            table = table.append_column(name, column)
    return table.select([name for name in _SCHEMA.names if name in table.column_names])
