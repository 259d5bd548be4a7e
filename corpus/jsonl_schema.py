"""What a line of a JSONL corpus may hold, and its faults in words for people."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from .dates import day_of
from .records import Form


@dataclass(frozen=True, slots=True)
class GivenDay:
    """A day as it was written, and as it counts."""

    number: int
    shown: str
    is_date: bool


def _day(value: object) -> GivenDay | None:
    if value is None:
        return None
    try:
        return GivenDay(day_of(value), str(value), isinstance(value, str))
    except ValueError as error:
        raise PydanticCustomError("day", "{reason}", {"reason": str(error)}) from None


_Text = Annotated[str, Field(min_length=1)]
_Day = Annotated[GivenDay | None, PlainValidator(_day)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ChunkLine(_Line):
    """One of `chunks`."""

    text: _Text
    day: _Day = None
    dated_text: _Text | None = None


class QuestionLine(_Line):
    """One of `questions`."""

    text: _Text
    answer: _Text
    other_answers: list[_Text] = []
    question_id: _Text | None = None
    family: _Text = "other"
    stale_answers: list[_Text] = []
    evidence: list[int] = []
    form: Form | None = None


class DocumentLine(_Line):
    """A whole line."""

    document_id: _Text
    chunks: Annotated[list[ChunkLine], Field(min_length=1)]
    questions: list[QuestionLine] = []
    summary: _Text | None = None


_KEYS: Final = {
    key: tuple(model.model_fields)
    for key, model in (("", DocumentLine), ("chunks", ChunkLine), ("questions", QuestionLine))
}
"""Known keys by where they stand."""
_WORDS: Final = {
    "string_type": "it should be a text in quotes",
    "string_too_short": "a text is needed here, at least one character",
    "string_unicode": "it holds half of a character (a lone surrogate); write the whole one",
    "int_type": "it should be a whole number",
    "int_from_float": "it should be a whole number",
    "list_type": "it should be a list in square brackets",
    "too_short": "at least one is needed",
    "model_type": "it should be an object in braces",
    "model_attributes_type": "it should be an object in braces",
    "dict_type": "it should be an object in braces",
}
"""Kind of fault -> what should be there."""


def faults(error: ValidationError) -> Iterator[str]:
    """Everything that is wrong with a line, as `questions.0.answer is missing`."""
    for each in error.errors(include_url=False):
        yield _fault(each)


def _fault(each: ErrorDetails) -> str:
    where = ".".join(str(part) for part in each["loc"]) or "the line"
    if each["type"] == "missing":
        return f"{where} is missing"
    if each["type"] == "extra_forbidden":
        return f"{where} is not a known key{_meant(each['loc'])}"
    return f"{where} is {_shown(each['input'])}: {_wanted(each)}"


def _wanted(each: ErrorDetails) -> str:
    if each["type"] == "literal_error":
        *first, last = get_args(Form)
        return f"it should be {', '.join(first)} or {last}"
    message = each["msg"]
    return _WORDS.get(each["type"], f"{message[0].lower()}{message[1:]}")


def _meant(where: tuple[int | str, ...]) -> str:
    """The known key that is nearest, if one is near."""
    known = _KEYS.get(str(where[0]) if len(where) > 1 else "", ())
    near = get_close_matches(str(where[-1]), known, n=1)
    return f" (did you mean {near[0]}?)" if near else f" ({', '.join(known)} are)"


def _shown(value: Any) -> str:  # noqa: ANN401  whatever stands in the file
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
