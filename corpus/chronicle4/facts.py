"""What is known of a question beside its text and answer: form, place of the evidence, time."""

from dataclasses import dataclass

from ...common.buckets import bucket_of
from ..records import Chunk, Document, Question
from .confusions import Mistake
from .lexicon import Form
from .prose import Prose
from .queries import Query
from .strings import Split
from .world import World


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of the text of one chunk."""

    chunk: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with everything that an evaluation may want to sort it by."""

    question: Question
    form: Form
    """Form of the answer."""
    spans: tuple[Span, ...]
    """Sentences that settle the answer, in order, those that say who is meant included."""
    needs_days: bool
    """Whether the text alone allows another answer: the days of chunks must be known."""
    asked_after: int
    """First chunk after which the answer is this one and stays so to the last that was read."""
    held_out: bool
    """Whether the family is kept out of the compressor's training."""
    wording: str
    """Id of the question's wording."""
    statements: tuple[str, ...]
    """Ids of the wordings of the evidence."""
    hops: int
    """People between the one who is named and the one who is meant."""
    mistakes: tuple[tuple[Mistake, str], ...]
    """Wrong answers of the right form that stand in the document, by the mistake they show."""


@dataclass(frozen=True, slots=True)
class Chronicle:
    """A generated document, with what stands behind it."""

    preset: str
    split: Split
    document: Document
    """The document as it ships; some of its chunks do not tell their day."""
    dated: tuple[str, ...]
    """The text of every chunk with its day written in: what a ceiling may read."""
    asked: tuple[Asked, ...]
    """One for each of `document.questions`, in order."""
    queries: tuple[Query, ...]
    prose: Prose
    world: World

    def dated_document(self) -> Document:
        """The twin whose every chunk begins with its day; same questions and answers."""
        chunks = tuple(
            Chunk(chunk.index, text, chunk.day)
            for chunk, text in zip(self.document.chunks, self.dated, strict=True)
        )
        return Document(
            self.document.document_id, chunks, self.document.questions, self.document.summary
        )

    def dated_spans(self, asked: Asked) -> tuple[Span, ...]:
        """The evidence of a question in the text of `dated_document`."""
        return tuple(
            Span(span.chunk, span.start + shift, span.end + shift)
            for span in asked.spans
            for shift in (len(self.dated[span.chunk]) - len(self._text(span.chunk)),)
        )

    def _text(self, chunk: int) -> str:
        return self.document.chunks[chunk].text

    def undated_document(self) -> Document:
        """The twin of which no chunk tells its day: the floor for questions that need days."""
        texts = (" ".join(sentence.text for sentence in body) for body in self.prose.sentences)
        chunks = tuple(
            Chunk(chunk.index, text, chunk.day)
            for chunk, text in zip(self.document.chunks, texts, strict=True)
        )
        return Document(
            self.document.document_id, chunks, self.document.questions, self.document.summary
        )


__all__ = ["Asked", "Chronicle", "Chunk", "Document", "Question", "Span", "bucket_of"]
