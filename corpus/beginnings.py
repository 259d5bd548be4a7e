"""A corpus that arrives chunk by chunk: beginnings of documents, asked what can be asked by then.

A question belongs to every beginning that holds what settles it and after which its answer does
not change any more (`Question.asked_after`): later beginnings ask it again, when it is older.
Beginnings of one document share its names and its facts: of independent documents there are as many
as originals (`Document.original`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from ..common.buckets import bucket_of
from ..common.errors import CorpusError
from .records import Document, Question

NOT_ASKED_BY_STEPS: Final = (
    "no question of these documents says from which chunk on it can be asked; give --generator 4"
)
"""Why there are no beginnings."""


def beginnings(document: Document, count: int) -> Iterator[Document]:
    """Beginnings of a document in equal steps, the last one whole; those without questions not.

    Args:
        document: with questions that say from when on they can be asked.
        count: beginnings at most; of a document with fewer chunks one a chunk.

    Raises:
        CorpusError: the document is a beginning itself.
    """
    if document.beginning_of is not None:
        raise CorpusError(
            f"{document.document_id!r} is a beginning of {document.beginning_of!r} already; give "
            "whole documents, or leave out --steps"
        )
    chunks = len(document.chunks)
    steps = min(count, chunks)
    for step in range(1, steps + 1):
        kept = chunks * step // steps
        settled = (one for one in document.questions if _settled(one, kept))
        # The third in which the evidence lies is that of what was read, not of what will come.
        questions = tuple(
            replace(one, bucket=bucket_of(one.evidence[-1], kept)) if one.evidence else one
            for one in settled
        )
        if questions:
            yield replace(
                document,
                document_id=f"{document.document_id}@{kept}",
                chunks=document.chunks[:kept],
                questions=questions,
                summary=document.summary if kept == chunks else None,
                beginning_of=document.document_id,
            )


def in_steps(documents: Iterable[Document], count: int) -> tuple[Document, ...]:
    """Beginnings of all documents, in order."""
    return tuple(part for one in documents for part in beginnings(one, count))


def _settled(question: Question, chunks: int) -> bool:
    """Whether its answer is known after so many chunks, and for good."""
    if question.asked_after is None or question.asked_after >= chunks:
        return False
    return all(chunk < chunks for chunk in question.evidence)
