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
        each.document, chunks=chunks, questions=tuple(question(about) for about in each.asked)
    )


def question(about: Asked) -> Question:
    """A question with form, evidence, times and wrong answers."""
    return replace(
        about.question,
        form=about.form,
        spans=tuple((span.chunk, span.start, span.end) for span in about.spans),
        needs_days=about.needs_days,
        asked_after=about.asked_after,
        held_out=about.held_out,
        wording=about.wording,
        statements=about.statements,
        hops=about.hops,
        mistakes=tuple((str(mistake), value) for mistake, value in about.mistakes),
    )


def _dated(chunk: Chunk, text: str) -> Chunk:
    """The chunk with its dated text, where that is not what it says anyway."""
    return chunk if text == chunk.text else replace(chunk, dated_text=text)
