r"""Reader of JSONL corpora: one JSON object a line, one line a document.

The schema, in full (docs/corpus_format.md shows an example)::

    document_id    string, unique in the file
    chunks         list, at least one, in time order; each
      text           string, not empty
      day            whole number or ISO date ("2026-11-28"), optional; never before the day of the
                     chunk before it; of all chunks of a file either numbers or dates
      dated_text     string, optional: the text with its day written in, for the ceiling to read
    questions      list, optional; each
      text           string, not empty
      answer         string, not empty
      question_id    string, optional, unique in the file; default "<document_id>/q<number>"
      family         string, optional; default "other"
      other_answers  list of strings, optional: answers that are as right
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
from typing import Any, Final

from pydantic import ValidationError

from ..common.buckets import bucket_of
from ..common.errors import CorpusError
from .jsonl_schema import DocumentLine, QuestionLine, faults
from .records import Chunk, Document, Question

SHOWN: Final = 10
"""Faults of a file that are told; of the others, how many there are."""
_SCHEMA: Final = "see docs/corpus_format.md"


def read_jsonl(path: Path) -> tuple[Document, ...]:
    """Read a bring-your-own corpus.

    Raises:
        CorpusError: the file is missing or empty, or lines break the schema; the message names
            file, line, reason and next step, and its notes the first `SHOWN` faults.
    """
    reader = _Reader(Path(path))
    documents = tuple(reader.documents())
    reader.refuse()
    if not documents:
        raise CorpusError(f"{path}: no documents in it: add one JSON object per line")
    return documents


def check_jsonl(path: Path) -> None:
    """Read a file and keep nothing of it. Raises: CorpusError, as `read_jsonl`."""
    reader = _Reader(Path(path))
    count = sum(1 for _ in reader.documents())
    reader.refuse()
    if not count:
        raise CorpusError(f"{path}: no documents in it: add one JSON object per line")


class _Fault(Exception):
    """What is wrong with a line, and what to do."""

    def __init__(self, reasons: list[str], step: str = _SCHEMA) -> None:
        super().__init__(reasons, step)
        self.reasons, self.step = reasons, step


class _Reader:
    """One file: its documents, and what is wrong with those that are none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._faults: list[tuple[int, str, str]] = []
        self._documents: dict[str, int] = {}
        self._questions: dict[str, int] = {}
        self._kind: tuple[bool, int] | None = None
        """Whether days are dates, and the line that began with it."""

    def documents(self) -> Iterator[Document]:
        """The documents of all lines that are right."""
        for number, raw in _lines(self.path):
            wrong: list[_Fault] = []
            try:
                text = _text(raw, number)
                if not text:
                    continue
                content = _content(text)
                # Of lines with other faults too, else one fault hides another.
                wrong += self._used_ids(content, number)
                parsed = _parsed(content)
                self._one_kind_of_day(parsed, number)
                document = _document(parsed)
            except _Fault as fault:
                wrong.insert(0, fault)
            for each in wrong:
                self._faults += [(number, reason, each.step) for reason in each.reasons]
            if not wrong:
                yield document

    def refuse(self) -> None:
        """Raise what is wrong with the file, if anything is."""
        if not self._faults:
            return
        number, reason, step = self._faults[0]
        if len(self._faults) == 1:
            raise CorpusError(f"{self.path}, line {number}: {reason}: {step}")
        lines = {number for number, _, _ in self._faults}
        error = CorpusError(
            f"{self.path}, line {number}: {reason}: {step} ({len(self._faults):,} faults in "
            f"{len(lines):,} {'line' if len(lines) == 1 else 'lines'})"
        )
        for number, reason, _ in self._faults[1:SHOWN]:
            error.add_note(f"line {number}: {reason}")
        if more := len(self._faults[SHOWN:]):
            error.add_note(f"and {more:,} more")
        raise error

    def _used_ids(self, content: Any, number: int) -> Iterator[_Fault]:  # noqa: ANN401  any JSON
        """Ids of a line that stood on an earlier one, or twice on this."""
        name = content.get("document_id") if isinstance(content, dict) else None
        if not isinstance(name, str):
            return
        if fault := _claim(self._documents, name, "document_id", number):
            yield fault
            return  # questions are called after their document
        questions = content.get("questions")
        for index, question in enumerate(questions if isinstance(questions, list) else ()):
            own = question.get("question_id") if isinstance(question, dict) else None
            key = own or f"{name}/q{index}"
            if isinstance(key, str) and (
                fault := _claim(self._questions, key, "question_id", number)
            ):
                yield fault

    def _one_kind_of_day(self, line: DocumentLine, number: int) -> None:
        """Numbers and dates in one file would be compared with each other."""
        for day in (chunk.day for chunk in line.chunks if chunk.day is not None):
            if self._kind is None:
                self._kind = (day.is_date, number)
            elif self._kind[0] != day.is_date:
                here, there = ("a date", "numbers") if day.is_date else ("a number", "dates")
                raise _Fault(
                    [f"the day {day.shown} is {here}, and line {self._kind[1]} has {there}"],
                    "write all days of a file in one way",
                )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be read ({error.strerror}): check the path of the corpus"
        ) from error
    # Split on newlines alone: U+2028 and friends may stand inside JSON strings.
    yield from enumerate(data.split(b"\n"), start=1)


def _text(raw: bytes, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError as error:
        raise _Fault([f"not UTF-8 at byte {error.start}"], "save it as UTF-8") from error


def _claim(seen: dict[str, int], key: str, name: str, number: int) -> _Fault | None:
    if key not in seen:
        seen[key] = number
        return None
    reason = f"{name} {key!r} is already used on line {seen[key]}"
    return _Fault([reason], f"give it another {name}")


def _content(line: str) -> Any:  # noqa: ANN401  any JSON
    """What a line says."""
    try:
        return json.loads(line, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        reason = f"not JSON at column {error.colno} ({error.msg})"
        raise _Fault([reason], "write one JSON object per line") from error
    except (ValueError, RecursionError) as error:
        raise _Fault([" ".join(str(error).split())]) from error


def _parsed(content: object) -> DocumentLine:
    try:
        return DocumentLine.model_validate(content)
    except ValidationError as error:
        raise _Fault([" ".join(reason.split()) for reason in faults(error)]) from error
    except (ValueError, RecursionError) as error:
        raise _Fault([" ".join(str(error).split())]) from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _document(line: DocumentLine) -> Document:
    days = [(i, chunk.day) for i, chunk in enumerate(line.chunks) if chunk.day is not None]
    reasons = [
        f"chunks are not in time order: chunk {after} has day {late.shown}, chunk {before} has day "
        f"{early.shown}"
        for (before, early), (after, late) in pairwise(days)
        if late.number < early.number
    ]
    for index, question in enumerate(line.questions):
        reasons += _faults_of_question(question, index, len(line.chunks))
    if reasons:
        raise _Fault(reasons)
    chunks = tuple(
        Chunk(i, chunk.text, chunk.day.number if chunk.day else None, chunk.dated_text)
        for i, chunk in enumerate(line.chunks)
    )
    questions = tuple(
        _question(question, i, line.document_id, len(chunks))
        for i, question in enumerate(line.questions)
    )
    return Document(line.document_id, chunks, questions, line.summary)


def _faults_of_question(line: QuestionLine, index: int, chunks: int) -> Iterator[str]:
    evidence = line.evidence
    if any(not 0 <= i < chunks for i in evidence) or evidence != sorted(set(evidence)):
        yield (
            f"questions.{index}.evidence is {evidence}: it must be ascending chunk indices from 0 "
            f"to {chunks - 1}"
        )
    for answer in (line.answer, *line.other_answers):
        if answer in line.stale_answers:
            yield f"questions.{index}: the answer {answer!r} is also a stale answer"


def _question(line: QuestionLine, index: int, document_id: str, chunks: int) -> Question:
    evidence = tuple(line.evidence)
    return Question(
        question_id=line.question_id or f"{document_id}/q{index}",
        family=line.family,
        text=line.text,
        answer=line.answer,
        stale_answers=tuple(line.stale_answers),
        evidence=evidence,
        bucket=bucket_of(evidence[-1], chunks) if evidence else None,
        form=line.form or "",
        other_answers=tuple(line.other_answers),
    )
