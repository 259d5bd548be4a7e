"""Retrieval: for every question the chunks that it asks for, as many tokens as there are latents.

Unlike latents, these see the question before the document is cut down. So they are not rivals of
the same kind, but what a reader would do without a compressor; where they win, the report says so.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...corpus.records import Document, Question
from ...reasoner.generate import Prefix
from ..bench import ArmInputs
from .packing import pack_chunks, readable

Scores = NDArray[np.float32]
Rank = Callable[[Document, Question], Sequence[int]]
"""Indices of the chunks of a document, the best for a question first."""

_PLATFORMS: Final = "JAX_PLATFORMS"
NEAR_BEST: Final = 0.5
"""Share of the best BM25 score from which on a chunk counts as a match."""


def bm25(inputs: ArmInputs) -> list[Prefix]:
    """For every question the chunks with the highest BM25 score (Robertson et al., 1994)."""
    return _retrieved(inputs, Bm25(inputs.documents).ranked)


def newest(inputs: ArmInputs) -> list[Prefix]:
    """For every question the newest chunks among those that match it, then the others by score.

    The rule that a careful reader of dated notes has: of what fits the question, the latest.
    """
    scorer = Bm25(inputs.documents)

    def ranked(document: Document, question: Question) -> list[int]:
        scores = scorer.scores(document, question)
        bar = NEAR_BEST * float(scores.max()) if scores.max() > 0 else np.inf
        matches = [index for index in range(len(scores)) if scores[index] >= bar]
        others = [index for index in _descending(scores) if index not in set(matches)]
        return [*reversed(matches), *others]

    return _retrieved(inputs, ranked)


def oracle(inputs: ArmInputs) -> list[Prefix]:
    """For every question the chunks that settle it, the latest first: perfect retrieval."""
    return _retrieved(inputs, lambda document, question: sorted(question.evidence, reverse=True))


def search_library() -> Any:  # noqa: ANN401  an untyped module
    """The package bm25s, imported so that it leaves GPUs alone.

    It tries JAX out while it is imported, and where JAX is installed that takes three quarters of
    a GPU's memory for nothing: of nine measurements on one GPU five ended for lack of it.
    """
    before = os.environ.get(_PLATFORMS)
    os.environ[_PLATFORMS] = "cpu"
    try:
        import bm25s
    finally:
        os.environ.pop(_PLATFORMS)
        if before is not None:
            os.environ[_PLATFORMS] = before
    return bm25s


class Bm25:
    """BM25 scores of the chunks of several documents, each document an index of its own."""

    def __init__(self, documents: Sequence[Document]) -> None:
        """Index every document: lower-case words of two letters and more, common ones left out."""
        self._indices = {document.document_id: _Index(document) for document in documents}

    def scores(self, document: Document, question: Question) -> Scores:
        """[chunks] how well each fits the question; 0 where they share no word."""
        return self._indices[document.document_id].scores(question.text)

    def ranked(self, document: Document, question: Question) -> list[int]:
        """Indices of all chunks, the best first; of equal ones the earlier first."""
        return _descending(self.scores(document, question))


class _Index:
    def __init__(self, document: Document) -> None:
        bm25s = search_library()
        words = _words([readable(chunk) for chunk in document.chunks])
        self._chunks = len(words)
        self._known = {word for chunk in words for word in chunk}
        self._model = bm25s.BM25()
        if self._known:
            self._model.index(words, show_progress=False)

    def scores(self, text: str) -> Scores:
        query = [word for word in _words([text])[0] if word in self._known]
        if not query:  # bm25s takes no query without a known word
            return np.zeros(self._chunks, np.float32)
        scores: Scores = self._model.get_scores(query)
        return scores


def _words(texts: Sequence[str]) -> list[list[str]]:
    bm25s = search_library()

    words: list[list[str]] = bm25s.tokenize(
        list(texts), stopwords="en", show_progress=False, return_ids=False
    )
    return words


def _descending(scores: Scores) -> list[int]:
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    return order


def _retrieved(inputs: ArmInputs, rank: Rank) -> list[Prefix]:
    """A prefix for every question of every document, in order."""
    lm = inputs.bench.reasoner
    return [
        pack_chunks(lm, document, rank(document, question), len(x_KR))
        for document, x_KR in zip(inputs.documents, inputs.vectors, strict=True)
        for question in document.questions
    ]
