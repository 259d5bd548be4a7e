"""A few questions with every arm's answer, drawn by seed and not by hand.

Some without looking at the answers; and besides, where it is asked for, some of the errors.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Literal

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
    chosen: Literal["wrong", "stale"] | None = None
    """What it was drawn from; None: from all questions of its family, whatever was answered."""


def choose_samples(
    rows: Sequence[ScoredAnswer],
    documents: Iterable[Document],
    *,
    seed: int,
    per_family: int = 1,
    errors_of: str | None = None,
) -> tuple[Sample, ...]:
    """Draws questions of every family at random, without looking at the answers.

    Args:
        rows: scored answers of all arms.
        documents: what was asked about.
        seed: of the draws.
        per_family: how many.
        errors_of: an arm of whose wrong and of whose stale answers one each is drawn besides, of
            every family; the first draws are the same with it and without.
    """
    answers: dict[tuple[str, str], dict[str, SampleAnswer]] = {}
    for row in rows:
        answer = SampleAnswer(prediction=row.prediction, correct=row.correct, stale=row.stale)
        answers.setdefault((row.document_id, row.question_id), {})[row.arm] = answer
    by_family: dict[str, list[tuple[Document, Question]]] = {}
    for document, question in _questions(documents):
        if (document.document_id, question.question_id) in answers:
            by_family.setdefault(question.family, []).append((document, question))
    random, drawn = Random(seed), []
    for family in sorted(by_family):
        drawn += random.sample(by_family[family], min(per_family, len(by_family[family])))
    samples = {_key(*each): _sample(*each, answers[_key(*each)]) for each in drawn}
    for which in ("stale", "wrong") if errors_of is not None else ():
        for family in sorted(by_family):
            left = [
                each
                for each in by_family[family]
                if _key(*each) not in samples and _errs(answers[_key(*each)], errors_of, which)
            ]
            if left:
                each = random.choice(left)
                made = _sample(*each, answers[_key(*each)])
                samples[_key(*each)] = made.model_copy(update={"chosen": which})
    return tuple(samples.values())


def _key(document: Document, question: Question) -> tuple[str, str]:
    return document.document_id, question.question_id


def _errs(answers: Mapping[str, SampleAnswer], arm: str | None, which: str) -> bool:
    """Whether an arm's answer is stale, or wrong in another way."""
    answer = answers.get(arm or "")
    return answer is not None and not answer.correct and answer.stale == (which == "stale")


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
