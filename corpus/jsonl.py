r"""Reader of JSONL corpora: one JSON object a line, one line a document.

The schema, in full (docs/corpus_format.md shows an example)::

    document_id    string, unique in the file
    chunks         list, at least one, in time order; each
      text           string, not empty
      day            integer, optional; never smaller than the day before it
      dated_text     string, optional: the text with its day written in, for the ceiling to read
    questions      list, optional; each
      text           string, not empty
      answer         string, not empty
      question_id    string, optional, unique in the file; default "<document_id>/q<number>"
      family         string, optional; default "other"
      stale_answers  list of strings, optional: values that a later chunk replaced
      evidence       list of 0-based chunk indices, optional, ascending
      form           optional: name, number, word, closed or yes_no
    summary        string, optional: a reference summary

Blank lines are skipped; any other key is an error.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..common.buckets import bucket_of
from ..common.errors import CorpusError
from .records import Chunk, Document, Form, Question

_Text = Annotated[str, Field(min_length=1)]
_Day = Annotated[int, Field(ge=-(2**62), le=2**62)]  # what Parquet's int64 holds


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _ChunkLine(_Line):
    text: _Text
    day: _Day | None = None
    dated_text: _Text | None = None


class _QuestionLine(_Line):
    text: _Text
    answer: _Text
    question_id: _Text | None = None
    family: _Text = "other"
    stale_answers: list[_Text] = []
    evidence: list[int] = []
    form: Form | None = None


class _DocumentLine(_Line):
    document_id: _Text
    chunks: Annotated[list[_ChunkLine], Field(min_length=1)]
    questions: list[_QuestionLine] = []
    summary: _Text | None = None


def read_jsonl(path: Path) -> tuple[Document, ...]:
    """Read a bring-your-own corpus.

    Raises:
        CorpusError: the file is missing, empty, or a line breaks the schema; the message names
            file, line, reason and next step.
    """
    path = Path(path)
    seen: dict[str, int] = {}
    questions: dict[str, int] = {}
    documents = []
    for number, line in _lines(path):
        document = _parse(path, number, line)
        _claim(seen, document.document_id, "document_id", path, number)
        for question in document.questions:
            _claim(questions, question.question_id, "question_id", path, number)
        documents.append(document)
    if not documents:
        raise CorpusError(f"{path}: no documents in it: add one JSON object per line")
    return tuple(documents)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be read ({error.strerror}): check the path of the corpus"
        ) from error
    # Split on newlines alone: U+2028 and friends may stand inside JSON strings.
    for number, raw in enumerate(data.split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise _bad(path, number, f"not UTF-8 at byte {error.start}", "save it as UTF-8") from (
                error
            )
        if line:
            yield number, line


def _parse(path: Path, number: int, line: str) -> Document:
    try:
        parsed = _DocumentLine.model_validate(json.loads(line, parse_constant=_no_constant))
        return _document(parsed)
    except json.JSONDecodeError as error:
        reason = f"not JSON at column {error.colno} ({error.msg})"
        raise _bad(path, number, reason, "write one JSON object per line") from error
    except ValidationError as error:
        raise _bad(path, number, _first(error), "see docs/corpus_format.md") from error
    except (ValueError, RecursionError) as error:
        raise _bad(path, number, str(error), "see docs/corpus_format.md") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _document(line: _DocumentLine) -> Document:
    days = [(i, chunk.day) for i, chunk in enumerate(line.chunks) if chunk.day is not None]
    for (before, early), (after, late) in pairwise(days):
        if late < early:
            raise ValueError(
                f"chunks are not in time order: chunk {after} has day {late}, "
                f"chunk {before} has day {early}"
            )
    chunks = tuple(
        Chunk(index=i, text=chunk.text, day=chunk.day, dated_text=chunk.dated_text)
        for i, chunk in enumerate(line.chunks)
    )
    questions = tuple(
        _question(question, i, line.document_id, len(chunks))
        for i, question in enumerate(line.questions)
    )
    return Document(line.document_id, chunks, questions, line.summary)


def _question(line: _QuestionLine, index: int, document_id: str, chunks: int) -> Question:
    evidence = tuple(line.evidence)
    if any(not 0 <= i < chunks for i in evidence) or list(evidence) != sorted(set(evidence)):
        raise ValueError(
            f"questions.{index}.evidence is {list(evidence)}: it must be ascending chunk "
            f"indices from 0 to {chunks - 1}"
        )
    if line.answer in line.stale_answers:
        raise ValueError(f"questions.{index}: the answer {line.answer!r} is also a stale answer")
    return Question(
        question_id=line.question_id or f"{document_id}/q{index}",
        family=line.family,
        text=line.text,
        answer=line.answer,
        stale_answers=tuple(line.stale_answers),
        evidence=evidence,
        bucket=bucket_of(evidence[-1], chunks) if evidence else None,
        form=line.form or "",
    )


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, as `questions.0.answer is missing`."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the line"
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "extra_forbidden":
        return f"{where} is not a known key"
    value = json.dumps(first["input"], ensure_ascii=False, default=str)
    shown = value if len(value) <= 40 else value[:37] + "..."
    message = first["msg"].replace("Input should be", "it should be")
    return f"{where} is {shown}: {message[0].lower()}{message[1:]}"


def _claim(seen: dict[str, int], key: str, name: str, path: Path, number: int) -> None:
    if key in seen:
        reason = f"{name} {key!r} is already used on line {seen[key]}"
        raise _bad(path, number, reason, f"give it another {name}")
    seen[key] = number


def _bad(path: Path, number: int, reason: str, step: str) -> CorpusError:
    return CorpusError(f"{path}, line {number}: {' '.join(reason.split())}: {step}")
