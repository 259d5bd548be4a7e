"""General requests that can be made of any text, for answers that the reasoner itself gives."""

from typing import Final

from .records import Document, Question

REQUESTS: Final[dict[str, str]] = {
    "about": "What is this text about?",
    "sentence": "Summarise the text in one sentence.",
    "names": "Which names occur in the text?",
    "numbers": "Which numbers and dates occur in the text, and what do they stand for?",
    "first": "What does the text report first?",
    "last": "What does the text report last?",
    "change": "What does the text say has changed?",
}
"""By name; a new one is a row here."""

PREFIX: Final = "self_"
"""Of the families of questions whose answers are the reasoner's own."""


def self_question(document: Document, request: str, answer: str) -> Question:
    """A general request with the answer that the reasoner gave; unchecked."""
    return Question(
        f"{document.document_id}/{PREFIX}{request}",
        f"{PREFIX}{request}",
        REQUESTS[request],
        answer,
    )


def whole_sentences(text: str) -> str:
    """The text up to its last full stop, so that a cut answer does not end in mid-sentence.

    Empty where it has none.
    """
    end = max(text.rfind(mark) for mark in (".", "!", "?"))
    return text[: end + 1].strip()
