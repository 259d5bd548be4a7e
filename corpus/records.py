"""Records of a corpus: chunk, question, document; frozen and independent of torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..common.buckets import Bucket

CHUNK_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One dated piece of a document; chunks of a document are in time order."""

    index: int
    """0-based position in its document."""
    text: str
    day: int | None = None
    """Day on which the chunk was written; None where the source has no times."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one document, with exactly one right answer."""

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


@dataclass(frozen=True, slots=True)
class Document:
    """Chunks in time order, and questions about them."""

    document_id: str
    chunks: tuple[Chunk, ...]
    questions: tuple[Question, ...] = ()
    summary: str | None = None
    """A reference summary with updates resolved, where the source has one."""

    @property
    def text(self) -> str:
        """The whole document as the teacher reads it: chunks joined by newlines."""
        return CHUNK_SEPARATOR.join(chunk.text for chunk in self.chunks)

    def chunk_spans(self) -> Iterator[tuple[int, int]]:
        """Character span [start, end) of every chunk within `text`, separator excluded."""
        start = 0
        for chunk in self.chunks:
            yield start, start + len(chunk.text)
            start += len(chunk.text) + len(CHUNK_SEPARATOR)
