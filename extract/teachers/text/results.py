"""Summaries and answers as Parquet, each with a JSON record of its making beside it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ....common.atomic import write_json, write_parquet
from ....common.errors import CorpusError
from ....common.provenance import Provenance
from .server import ServedModel

SUMMARIES = "summaries.parquet"
ANSWERS = "answers.parquet"


@dataclass(frozen=True, slots=True)
class Summary:
    """One summary of one document."""

    document_id: str
    summary: str
    budget: int
    """Most tokens that were allowed, in the tokens of the server's model."""
    tokens: int | None
    """Counted by the server; None if it does not report them."""
    complete: bool
    """The model ended by itself; False where the budget cut it."""
    call: str
    """Key of the call in the cache."""


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """One answer to one question."""

    document_id: str
    question_id: str
    family: str
    question: str
    answer: str
    """The right answer, from the corpus."""
    written: str
    """Text of the teacher."""
    correct: bool
    """Exact match, as everywhere in the evaluation."""
    stale: bool
    """It wrote a value that a later chunk replaced."""
    complete: bool
    """The model ended by itself; False where the limit of tokens cut it."""
    call: str
    """Key of the call in the cache."""


class TextRecord(BaseModel):
    """Provenance of a file of summaries or answers; written beside it as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    file: str
    """Name of the Parquet file."""
    sha256: str
    """Of that file, in hex."""
    rows: int
    url: str
    """Address of the server."""
    model: ServedModel
    """Model that generated the text."""
    prompt: dict[str, str]
    """Prompt texts with their placeholders."""
    sampling: dict[str, Any]
    """Parameters of every request."""
    corpus_sha256: str
    from_cache: int
    """Distinct calls whose reply was cached."""
    calls_made: int = Field(validation_alias="asked", serialization_alias="asked")
    """Distinct calls made by this run; `asked` in the file."""
    prompt_tokens: int
    """Of these rows, cached ones included, as far as the server reports them."""
    completion_tokens: int
    """Generated for these rows."""
    incomplete: int
    """Rows that a limit of tokens cut."""
    correct: int | None = None
    """Right answers; None for summaries."""
    seconds: float
    """Spent on this run's requests."""
    provenance: Provenance


_BOOL, _INT, _TEXT = pa.bool_(), pa.int32(), pa.string()
_SUMMARIES = pa.schema(
    [
        pa.field("document_id", _TEXT, nullable=False),
        pa.field("summary", _TEXT, nullable=False),
        pa.field("budget", _INT, nullable=False),
        pa.field("tokens", _INT),
        pa.field("complete", _BOOL, nullable=False),
        pa.field("call", _TEXT, nullable=False),
    ]
)
_ANSWERS = pa.schema(
    [
        pa.field(name, _TEXT, nullable=False)
        for name in ("document_id", "question_id", "family", "question", "answer", "written")
    ]
    + [pa.field(name, _BOOL, nullable=False) for name in ("correct", "stale", "complete")]
    + [pa.field("call", _TEXT, nullable=False)]
)


def write_summaries(path: Path, rows: Sequence[Summary]) -> None:
    """Write summaries as Parquet. Raises: StoreError."""
    write_parquet(path, pa.Table.from_pylist([asdict(row) for row in rows], schema=_SUMMARIES))


def write_text_answers(path: Path, rows: Sequence[WrittenAnswer]) -> None:
    """Write answers as Parquet. Raises: StoreError."""
    write_parquet(path, pa.Table.from_pylist([asdict(row) for row in rows], schema=_ANSWERS))


def write_text_record(path: Path, record: TextRecord) -> None:
    """Write the record of a Parquet file beside it, as `<name>.json`. Raises: StoreError."""
    write_json(path.with_suffix(".json"), record.model_dump(mode="json", by_alias=True))


def read_text_record(path: Path) -> TextRecord | None:
    """The record of a Parquet file; None where there is none that can be read."""
    try:
        return TextRecord.model_validate_json(path.with_suffix(".json").read_bytes())
    except (OSError, ValidationError):
        return None


def read_summaries(path: Path) -> tuple[Summary, ...]:
    """Read what `write_summaries` wrote.

    Raises:
        CorpusError: the file is missing, damaged, or holds something else.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True).cast(_SUMMARIES)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorpusError(
            f"{path}: no readable file of summaries ({reason}); "
            "write one with `latentcomp teacher summaries`"
        ) from error
    return tuple(Summary(**row) for row in table.to_pylist())
