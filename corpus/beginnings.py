"""A corpus that arrives chunk by chunk: beginnings of documents, asked what can be asked by then.

A question belongs to every beginning that holds what settles it and after which its answer does
not change any more (`Question.asked_after`): later beginnings ask it again, when it is older.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from .records import Document, Question


def beginnings(document: Document, count: int) -> Iterator[Document]:
    """Beginnings of a document in equal steps, the last one whole; those without questions not.

    Args:
        document: with questions that say from when on they can be asked.
        count: beginnings at most; of a document with fewer chunks one a chunk.
    """
    chunks = len(document.chunks)
    steps = min(count, chunks)
    for step in range(1, steps + 1):
        kept = chunks * step // steps
        questions = tuple(one for one in document.questions if _settled(one, kept))
        if questions:
            yield replace(
                document,
                document_id=f"{document.document_id}@{kept}",
                chunks=document.chunks[:kept],
                questions=questions,
                summary=document.summary if kept == chunks else None,
            )


def in_steps(documents: Iterable[Document], count: int) -> tuple[Document, ...]:
    """Beginnings of all documents, in order."""
    return tuple(part for one in documents for part in beginnings(one, count))


def _settled(question: Question, chunks: int) -> bool:
    """Whether its answer is known after so many chunks, and for good."""
    if question.asked_after is None or question.asked_after >= chunks:
        return False
    return all(chunk < chunks for chunk in question.evidence)
