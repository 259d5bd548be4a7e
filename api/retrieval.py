"""Retrieval at equal tokens: what as many tokens of text as there are latents would have told.

The same BM25 and the same packing as the arm `bm25` of an evaluation. A document of one chunk is
searched sentence by sentence, as there is nothing else to choose from.
"""

import re
from collections.abc import Sequence
from typing import Final

from ..corpus.records import Chunk, Document, Question
from ..evaluate.arms.packing import pack_chunks
from ..evaluate.arms.retrieval import Bm25
from ..models.loading import CausalLM
from ..reasoner.generate import Prefix

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")


def retrieved(
    lm: CausalLM, document: Document, questions: Sequence[str], tokens: int
) -> list[Prefix]:
    """For every question the parts of a document that it calls for, in document order.

    Args:
        lm: who reads them, and whose tokens are counted.
        document: its dated text is searched and read.
        questions: the queries.
        tokens: as many, the prompt's head aside.
    """
    parts = in_parts(document)
    scorer = Bm25([parts])
    return [
        pack_chunks(lm, parts, scorer.ranked(parts, Question("q", "other", text, "-")), tokens)
        for text in questions
    ]


def in_parts(document: Document) -> Document:
    """The same with a chunk a sentence or line, where it has one chunk only."""
    if len(document.chunks) > 1:
        return document
    texts = [part.strip() for part in _SENTENCE.split(document.dated_text) if part.strip()]
    return Document(document.document_id, tuple(map(_chunk, range(len(texts)), texts)))


def _chunk(index: int, text: str) -> Chunk:
    return Chunk(index, text)
