"""One scored answer: greedy exact match, and whether it is a value that had been replaced."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..common import atomic
from ..common.errors import LatentcompError
from ..corpus.records import Question


@dataclass(frozen=True, slots=True)
class Score:
    """Whether a prediction is right, and if not, whether it is out of date."""

    correct: bool
    """The normalised prediction equals the normalised answer."""
    stale: bool
    """It equals a value that a later chunk replaced, and not the answer."""


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One answer of one arm to one question."""

    document_id: str
    """Document the question is about; intervals resample whole documents."""
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
    """The one right answer."""
    correct: bool
    """Exact match after normalising."""
    stale: bool
    """The prediction is a replaced value."""
    can_be_stale: bool = False
    """The question has replaced values at all: the denominator of the stale rate."""


def normalise(text: str) -> str:
    """Text as it is compared: single spaces, no case, no final period.

    >>> normalise("  New\\n York. ")
    'new york'
    """
    return " ".join(text.split()).removesuffix(".").rstrip().casefold()


def score(question: Question, prediction: str) -> Score:
    """Compares a prediction with the answer and with the replaced values of a question."""
    said = normalise(prediction)
    correct = said == normalise(question.answer)
    stale = not correct and said in {normalise(value) for value in question.stale_answers}
    return Score(correct, stale)


def score_answer(document_id: str, question: Question, arm: str, prediction: str) -> ScoredAnswer:
    """Scores one prediction and keeps with it all that the statistics need."""
    scored = score(question, prediction)
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
)


@dataclass(frozen=True, slots=True)
class AnswersSource:
    """What a file of answers is of; answers are compared where these agree."""

    checkpoint: str
    """SHA-256 of the weights."""
    reasoner: str
    """SHA-256 of the weights of the model that answered."""
    ratio: float
    """Nominal tokens per latent."""
    corpus: str
    """SHA-256 of the documents."""


_SOURCE = b"latentcomp"
"""Key of the metadata of the Parquet file."""


def write_answers(
    path: Path, rows: Sequence[ScoredAnswer], source: AnswersSource | None = None
) -> None:
    """Writes every single answer as Parquet, so that later phases can be paired with this one."""
    records: list[dict[str, Any]] = [asdict(row) for row in rows]
    schema = _SCHEMA
    if source is not None:
        schema = schema.with_metadata({_SOURCE: json.dumps(asdict(source)).encode()})
    atomic.write_parquet(path, pa.Table.from_pylist(records, schema=schema))


def read_source(path: Path) -> AnswersSource:
    """What a file of answers says it is of.

    Raises:
        LatentcompError: it is unreadable, or of a version that did not say.
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
        table = pq.read_table(path).cast(_SCHEMA)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise LatentcompError(
            f"{path}: not a readable file of answers ({reason}); run `latentcomp evaluate` again."
        ) from error
    return tuple(ScoredAnswer(**record) for record in table.to_pylist())
