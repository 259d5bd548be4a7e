"""How long an answer may be, and what is said where that is too short."""

from collections.abc import Mapping, Sequence
from typing import Final

from ..corpus.records import Document
from ..models.loading import TextSide
from ..reasoner.generate import MOST_TOKENS

MARGIN: Final = 8
"""Tokens beyond the longest right answer, so that a wrong one is not cut into it."""


def answer_limit(lm: TextSide, documents: Sequence[Document]) -> int:
    """Most tokens of an answer about these documents, in tokens of the model that answers.

    The longest right answer, its end token and a margin; never fewer than answers of the
    generated documents have.
    """
    return max(MOST_TOKENS, _longest(lm, documents) + MARGIN)


def limit_notes(
    lm: TextSide, documents: Sequence[Document], limit: int, cut: Mapping[str, int]
) -> tuple[str, ...]:
    """What a limit of tokens has done to answers; nothing where it touched none.

    Args:
        lm: who answered.
        documents: with the right answers.
        limit: most tokens of an answer.
        cut: arm -> answers that were not at their end when the limit came.
    """
    questions = [question for document in documents for question in document.questions]
    # Of several right answers the shortest may be given.
    shortest = (min(_tokens(lm, answer) for answer in each.answers) for each in questions)
    long = sum(tokens > limit for tokens in shortest)
    count, needed = len(questions), _longest(lm, documents) + MARGIN
    short = (
        f"{long} of {count} right answers are longer than the {limit} tokens that an answer "
        f"may have, and cannot be given: evaluate with --answer-tokens {needed}"
    )
    arms = [f"{number} of {arm}" for arm, number in cut.items() if number]
    many = (
        f"answers that were cut at {limit} tokens, each of {count}: {', '.join(arms)}; what "
        "stands behind the cut is not scored"
    )
    return (*([short] if long else []), *([many] if arms else []))


def _longest(lm: TextSide, documents: Sequence[Document]) -> int:
    questions = (question for document in documents for question in document.questions)
    answers = (answer for question in questions for answer in question.answers)
    return max((_tokens(lm, answer) for answer in answers), default=0)


def _tokens(lm: TextSide, answer: str) -> int:
    return len(lm.encode(f" {answer}")) + 1
