"""Retrieval at equal tokens: what a text of as many tokens as there are latents would have told.

Okapi BM25 over the chunks of the document; a chunk longer than a line is taken line by line, and a
line longer than a sentence sentence by sentence. The best that fit are read in document order.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ..corpus.records import CHUNK_SEPARATOR, Chunk, Document
from ..models.loading import TextSide

K1: Final = 1.5
B: Final = 0.75
"""The usual constants of BM25."""
_WORD: Final = re.compile(r"\w+")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")


def retrieved(text_side: TextSide, document: Document, question: str, tokens: int) -> Document:
    """The parts of a document that a question calls for, as a document of one chunk.

    Args:
        text_side: whose tokens are counted.
        document: its dated text is searched and returned.
        question: the query.
        tokens: at most so many; one part is returned even if it is longer, cut to that many.
    """
    parts = _parts(document)
    ranked = sorted(zip(bm25(question, parts), range(len(parts)), strict=True), key=_best_first)
    kept: list[int] = []
    for _, number in ranked:
        candidate = _joined(parts, [*kept, number])
        if len(text_side.encode(candidate)) <= tokens:
            kept.append(number)
    text = _joined(parts, kept)
    if not kept and ranked:
        text = text_side.decode(text_side.encode(parts[ranked[0][1]])[:tokens])
    return Document(document.document_id, (Chunk(0, text or " "),))


def bm25(question: str, parts: Sequence[str]) -> list[float]:
    """Score of each part for a question, by Okapi BM25 over lower-case words."""
    words = [Counter(_WORD.findall(part.lower())) for part in parts]
    lengths = [sum(counts.values()) for counts in words]
    mean = (sum(lengths) / len(lengths) if lengths else 0) or 1.0
    scores = [0.0] * len(parts)
    for word in set(_WORD.findall(question.lower())):
        having = sum(word in counts for counts in words)
        weight = math.log(1 + (len(parts) - having + 0.5) / (having + 0.5))
        for number, counts in enumerate(words):
            if count := counts[word]:
                norm = count + K1 * (1 - B + B * lengths[number] / mean)
                scores[number] += weight * count * (K1 + 1) / norm
    return scores


def _best_first(scored: tuple[float, int]) -> tuple[float, int]:
    """Of equals the later: in a dated document it is the newer one."""
    return -scored[0], -scored[1]


def _parts(document: Document) -> list[str]:
    parts = _SENTENCE.split(document.dated_text)
    return [part.strip() for part in parts if part.strip()]


def _joined(parts: Sequence[str], numbers: Sequence[int]) -> str:
    return CHUNK_SEPARATOR.join(parts[number] for number in sorted(numbers))
