"""A few questions with every arm's answer, drawn by seed and not by hand."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random

from ..common.record import Record
from ..corpus.records import Document, Question
from .scores import ScoredAnswer


class SampleAnswer(Record):
    """Answer of one arm."""

    prediction: str
    """As generated."""
    correct: bool
    """Exact match after normalising."""
    stale: bool
    """A replaced value."""


class Sample(Record):
    """One question as the report shows it."""

    document_id: str
    """Document the question is about."""
    question_id: str
    """Question within the document."""
    family: str
    """Question family."""
    question: str
    """Its text."""
    answer: str
    """The right answer."""
    stale_answers: tuple[str, ...]
    """Values that were replaced."""
    evidence: tuple[str, ...]
    """Text of the chunks that settle the answer."""
    answers: dict[str, SampleAnswer]
    """By arm."""


def choose_samples(
    rows: Sequence[ScoredAnswer],
    documents: Iterable[Document],
    *,
    seed: int,
    per_family: int = 1,
) -> tuple[Sample, ...]:
    """Draws questions of every family at random, without looking at the answers."""
    answers: dict[tuple[str, str], dict[str, SampleAnswer]] = {}
    for row in rows:
        answer = SampleAnswer(prediction=row.prediction, correct=row.correct, stale=row.stale)
        answers.setdefault((row.document_id, row.question_id), {})[row.arm] = answer
    by_family: dict[str, list[tuple[Document, Question]]] = {}
    for document, question in _questions(documents):
        if (document.document_id, question.question_id) in answers:
            by_family.setdefault(question.family, []).append((document, question))
    random = Random(seed)
    return tuple(
        _sample(document, question, answers[document.document_id, question.question_id])
        for family in sorted(by_family)
        for document, question in random.sample(
            by_family[family], min(per_family, len(by_family[family]))
        )
    )


def _questions(documents: Iterable[Document]) -> Iterator[tuple[Document, Question]]:
    return ((document, question) for document in documents for question in document.questions)


def _sample(document: Document, question: Question, answers: dict[str, SampleAnswer]) -> Sample:
    return Sample(
        document_id=document.document_id,
        question_id=question.question_id,
        family=question.family,
        question=question.text,
        answer=question.answer,
        stale_answers=question.stale_answers,
        evidence=tuple(document.chunks[index].text for index in question.evidence),
        answers=answers,
    )
