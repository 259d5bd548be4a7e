"""Chronicles as records of the package: the document with all that is known of its questions."""

from dataclasses import replace

from ..records import Chunk, Document, Question
from .facts import Asked, Chronicle


def recorded(each: Chronicle) -> Document:
    """The document as it ships, its dated texts and its questions' facts with it."""
    chunks = tuple(
        _dated(chunk, text) for chunk, text in zip(each.document.chunks, each.dated, strict=True)
    )
    return replace(
        each.document, chunks=chunks, questions=tuple(question(asked) for asked in each.asked)
    )


def question(asked: Asked) -> Question:
    """A question with form, evidence, times and wrong answers."""
    return replace(
        asked.question,
        form=asked.form,
        spans=tuple((span.chunk, span.start, span.end) for span in asked.spans),
        needs_days=asked.needs_days,
        asked_after=asked.asked_after,
        held_out=asked.held_out,
        wording=asked.wording,
        statements=asked.statements,
        hops=asked.hops,
        mistakes=tuple((str(mistake), value) for mistake, value in asked.mistakes),
    )


def _dated(chunk: Chunk, text: str) -> Chunk:
    """The chunk with its dated text, where that is not what it says anyway."""
    return chunk if text == chunk.text else replace(chunk, dated_text=text)
