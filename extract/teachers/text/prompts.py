"""Prompts of the text teacher.

The document comes first and is the same in every prompt about it, so that a server with prefix
caching prefills it once for all questions.
"""

from dataclasses import dataclass
from typing import Final

from ....corpus.records import Document, Question
from .calls import Message


@dataclass(frozen=True, slots=True)
class Prompt:
    """A task, as text around a document."""

    system: str
    """System message."""
    task: str
    """After the document; may hold `{budget}` (tokens) or `{question}`."""


SUMMARY: Final = Prompt(
    system="You write summaries for a reader who will never see the document.",
    task=(
        "Summarise the document above in at most {budget} tokens. Keep what questions about it "
        "would ask for: names, numbers, codes, days and relations; where a later entry replaced "
        "a value, give both and say which holds. Write the summary and nothing else."
    ),
)

ANSWER: Final = Prompt(
    system="You answer questions about a document from the document alone.",
    task=(
        "{question}\nThe document is in time order and later entries replace earlier ones. "
        "Write only the answer, as short as it can be, without a sentence around it."
    ),
)


def summarise(document: Document, budget: int) -> tuple[Message, ...]:
    """The messages of a summary of at most `budget` tokens."""
    return _about(document, SUMMARY.system, SUMMARY.task.replace("{budget}", str(budget)))


def answer(document: Document, question: Question) -> tuple[Message, ...]:
    """The messages of one question about a document."""
    return _about(document, ANSWER.system, ANSWER.task.replace("{question}", question.text))


def _about(document: Document, system: str, task: str) -> tuple[Message, ...]:
    return (
        Message(role="system", content=system),
        Message(role="user", content=f"{document.text}\n\n---\n\n{task}"),
    )
