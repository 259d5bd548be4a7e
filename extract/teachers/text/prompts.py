"""Prompts of the text teacher.

The document comes first and is the same in every prompt about it, so that a server with prefix
caching prefills it once for all questions. A model without a chat template goes on from its own
prompt (`PromptTemplate`), the one that the evaluation asks it with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from ....corpus.records import Document, Question
from ....models.prompt import PromptTemplate
from .calls import Message


@dataclass(frozen=True, slots=True)
class Prompt:
    """A task, as text around a document."""

    system: str
    """System message."""
    task: str
    """After the document; may hold `{budget}` (tokens) or `{question}`."""
    plain: Literal["summary", "question"]
    """Piece of the model's own prompt that stands for it where there is no chat."""

    def recorded(self, template: PromptTemplate | None) -> dict[str, str]:
        """The texts with their placeholders; of a model's own prompt where one is given."""
        if template is None:
            return {"system": self.system, "task": self.task}
        return {"head": template.head, "task": getattr(template, self.plain)}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, in both ways of asking."""

    messages: tuple[Message, ...]
    """Of a chat."""
    plain: Callable[[PromptTemplate], str]
    """With a model's own prompt, the text that it goes on from."""
    stop: tuple[str, ...] = ()
    """What ends a plain completion, besides the model itself."""


SUMMARY: Final = Prompt(
    system="You write summaries for a reader who will never see the document.",
    task=(
        "Summarise the document above in at most {budget} tokens. Keep what questions about it "
        "would ask for: names, numbers, codes, days and relations; where a later entry replaced "
        "a value, give both and say which holds. Write the summary and nothing else."
    ),
    plain="summary",
)

ANSWER: Final = Prompt(
    system="You answer questions about a document from the document alone.",
    task=(
        "{question}\nThe document is in time order and later entries replace earlier ones. "
        "Write only the answer, as short as it can be, without a sentence around it."
    ),
    plain="question",
)


def summarise(document: Document, budget: int) -> Asked:
    """Asks for a summary of at most `budget` tokens."""
    return Asked(
        _about(document, SUMMARY.system, SUMMARY.task.replace("{budget}", str(budget))),
        lambda template: template.head + document.dated_text + template.summarise(budget),
    )


def answer(document: Document, question: Question) -> Asked:
    """Asks one question about a document; an answer ends with its line."""
    return Asked(
        _about(document, ANSWER.system, ANSWER.task.replace("{question}", question.text)),
        lambda template: template.head + document.dated_text + template.ask(question.text),
        stop=("\n",),
    )


def _about(document: Document, system: str, task: str) -> tuple[Message, ...]:
    return (
        Message(role="system", content=system),
        Message(role="user", content=f"{document.dated_text}\n\n---\n\n{task}"),
    )
