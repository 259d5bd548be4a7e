"""Records of a corpus: chunk, question, document; frozen and independent of torch."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from ..common.buckets import Bucket

CHUNK_SEPARATOR = "\n"

CONTINUATION: Final = "continuation"
"""Family whose questions have no text: the answer is how the document goes on, without an end."""

Form = Literal["name", "number", "word", "closed", "yes_no"]
"""What an answer can be: a name, digits, a lower-case word, one of a known list, yes or no."""
FORMS: Final[tuple[Form, ...]] = get_args(Form)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One dated piece of a document; chunks of a document are in time order."""

    index: int
    """0-based position in its document."""
    text: str
    day: int | None = None
    """Day on which the chunk was written; None where the source has no times."""
    dated_text: str | None = None
    """The text with its day written in; None where `text` is all there is."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one document, with one right answer, or several ways to write it.

    Everything behind `bucket` is empty or None where the source does not say it.
    """

    question_id: str
    family: str
    """One of the families of the corpus, such as `fact` or `as_of`; free text for others' data."""
    text: str
    answer: str
    stale_answers: tuple[str, ...] = ()
    """Values that a later chunk replaced: answering one of them is a stale answer."""
    evidence: tuple[int, ...] = ()
    """Indices of the chunks that settle the answer, ascending."""
    bucket: Bucket | None = None
    """Third of the document in which the latest evidence chunk lies; None if unknown."""
    form: Form | Literal[""] = ""
    """What kind of string the answer is."""
    spans: tuple[tuple[int, int, int], ...] = ()
    """Sentences that settle the answer: (chunk, start, end), characters of the chunk's `text`."""
    needs_days: bool | None = None
    """Whether the text as it ships allows another answer, so that days of chunks must be known."""
    asked_after: int | None = None
    """First chunk after which the answer is this one and stays so to the end."""
    held_out: bool = False
    """Whether the family is kept out of the compressor's training."""
    wording: str = ""
    """Id of the question's wording."""
    statements: tuple[str, ...] = ()
    """Ids of the wordings of the evidence."""
    hops: int | None = None
    """People between the one who is named and the one who is meant."""
    mistakes: tuple[tuple[str, str], ...] = ()
    """(mistake, value): wrong answers of the right form, by the mistake that they would show."""
    other_answers: tuple[str, ...] = ()
    """Answers that are as right as `answer`, which the prompt of a training shows."""

    @property
    def answers(self) -> tuple[str, ...]:
        """Every right answer, `answer` first."""
        return (self.answer, *self.other_answers)

    @property
    def is_continuation(self) -> bool:
        """Whether nothing is asked: the answer is the text that follows the document."""
        return self.family == CONTINUATION


@dataclass(frozen=True, slots=True)
class Document:
    """Chunks in time order, and questions about them."""

    document_id: str
    chunks: tuple[Chunk, ...]
    questions: tuple[Question, ...] = ()
    summary: str | None = None
    """A reference summary with updates resolved, where the source has one."""
    beginning_of: str | None = None
    """Id of the document whose first chunks these are (`beginnings.py`); None of a whole one."""

    @property
    def original(self) -> str:
        """Id of the whole document: its beginnings are no independent documents."""
        return self.document_id if self.beginning_of is None else self.beginning_of

    @property
    def text(self) -> str:
        """The whole document as the teacher reads it: chunks joined by newlines."""
        return CHUNK_SEPARATOR.join(chunk.text for chunk in self.chunks)

    @property
    def dated_text(self) -> str:
        """The same with all days written in, as the ceiling reads it; `text` if none is given."""
        return CHUNK_SEPARATOR.join(
            chunk.text if chunk.dated_text is None else chunk.dated_text for chunk in self.chunks
        )

    @property
    def is_dated_apart(self) -> bool:
        """Whether some chunk has a dated text besides the one that it ships with."""
        return any(chunk.dated_text is not None for chunk in self.chunks)

    @property
    def training_questions(self) -> tuple[Question, ...]:
        """The questions that a compressor may learn from: those of families not held out."""
        return tuple(question for question in self.questions if not question.held_out)

    def chunk_spans(self) -> Iterator[tuple[int, int]]:
        """Character span [start, end) of every chunk within `text`, separator excluded."""
        start = 0
        for chunk in self.chunks:
            yield start, start + len(chunk.text)
            start += len(chunk.text) + len(CHUNK_SEPARATOR)


_FIRST: Final = {
    Chunk: ("index", "text", "day"),
    Question: (
        "question_id", "family", "text", "answer", "stale_answers", "evidence", "bucket",
    ),
    Document: ("document_id", "chunks", "questions", "summary"),
}  # fmt: skip
"""Fields of format version 1, by record."""
ADDED: Final[dict[type, dict[str, Any]]] = {
    record: {field.name: field.default for field in fields(record) if field.name not in first}
    for record, first in _FIRST.items()
}
"""Fields that came later, by record, with what they are where the source does not say them."""


def plain(record: Chunk | Question | Document) -> dict[str, Any]:
    """All fields of a record. Not copied: `dataclasses.asdict` takes seconds for thousands."""
    return {name: getattr(record, name) for name in record.__slots__}


def content(record: Chunk | Question | Document) -> dict[str, Any]:
    """What a record says, down to its chunks and questions; of later fields those it uses.

    So what is hashed of a document does not change when records learn to say more.
    """
    added = ADDED[type(record)]
    values = {
        name: value
        for name, value in plain(record).items()
        if name not in added or value != added[name]
    }
    if isinstance(record, Document):
        values["chunks"] = [content(chunk) for chunk in record.chunks]
        values["questions"] = [content(question) for question in record.questions]
    return values
