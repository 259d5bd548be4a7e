"""Continuations: the end of a document taken off, to be what a reader must expect to follow.

An objective and a measure that need no questions: any text has an end.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ..common.buckets import bucket_of
from .records import CHUNK_SEPARATOR, CONTINUATION, Document, Question

MOST_SHARE: Final = 0.5
"""Of a document's characters, that may be taken off or be left behind the continuation."""


def with_continuation(document: Document, characters: int) -> Document | None:
    """The document without its last chunks, which become its continuation.

    The cut is the last one between chunks that leaves enough behind it. Questions are kept where
    they are known to rest on the chunks that stay.

    Args:
        document: a whole one.
        characters: longest continuation; its last word is whole.

    Returns:
        None where no cut leaves at least half of the document.
    """
    sizes = [len(chunk.text) + len(CHUNK_SEPARATOR) for chunk in document.chunks]
    kept = len(sizes)
    while kept and sum(sizes[kept:]) < characters:
        kept -= 1
    if not kept or sum(sizes[:kept]) < MOST_SHARE * sum(sizes):
        return None
    rest = CHUNK_SEPARATOR.join(chunk.text for chunk in document.chunks[kept:])
    answer = _whole_words(rest, characters)
    if not answer:
        return None
    question = Question(f"{document.document_id}/{CONTINUATION}", CONTINUATION, "", answer)
    stay = (
        replace(q, bucket=q.bucket and bucket_of(q.evidence[-1], kept))
        for q in document.questions
        if q.evidence and q.evidence[-1] < kept
    )
    return replace(document, chunks=document.chunks[:kept], questions=(*stay, question))


def continued(documents: Iterable[Document], characters: int) -> tuple[tuple[Document, ...], int]:
    """Every document with its continuation, where it can be cut; and how many could not.

    One that cannot be cut is kept as it is where it has questions.
    """
    kept: list[Document] = []
    whole = 0
    for document in documents:
        cut = with_continuation(document, characters)
        whole += cut is None
        if cut is not None or document.questions:
            kept.append(cut or document)
    return tuple(kept), whole


def _whole_words(text: str, characters: int) -> str:
    """The beginning of a text, cut at white space; nothing where its first word is longer."""
    if len(text) <= characters:
        return text.rstrip()
    cut = text[: characters + 1]
    return cut[: max((i for i, letter in enumerate(cut) if letter.isspace()), default=0)].rstrip()
