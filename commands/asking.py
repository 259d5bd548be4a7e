"""Questions about one document, answered from its latents, its text, retrieval and nothing."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..api.compressor import Compressor
from ..api.latents import Latents
from ..api.reasoner import Answer, Reasoner
from ..common.errors import CheckpointError, UsageError
from ..corpus.records import Document, Question
from ..evaluate.scores import score
from ..models.describe import describe_document
from ..models.foreign import foreign_note

SHIPPED = "lab-4x"
"""The compressor where nothing names one."""
SOURCES = {
    "latents": "its latents",
    "text": "the full text",
    "retrieval": "retrieval, as many tokens",
    "nothing": "no document",
}
"""What an answer was read from, as it is shown."""


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A document and what to ask about it."""

    document: Document
    questions: tuple[str, ...]
    """The document's own when empty."""
    most: int
    """Of its own, the first so many."""
    latents: Path | None
    compressor: str | None
    """None: the one that made the latents, else the shipped one."""
    ratio: float | None
    teacher: str | None
    reasoner: str | None
    answer_tokens: int
    device: str
    generator: int | None = None
    """Version of the world that the document is of; None of others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with the answer from every source."""

    question: Question | str
    answers: dict[str, Answer]
    note: str = ""


def answers(request: AskRequest) -> list[Asked]:
    """Ask every question in every way.

    Raises:
        LatentcompError: no question, latents that are stale or foreign, or models that cannot be
            had.
    """
    questions = _questions(request)
    compressor = Compressor.from_pretrained(
        _compressor_name(request), device=request.device, teacher=request.teacher
    )
    latents = _latents(request, compressor)
    reasoner = Reasoner.from_pretrained(request.reasoner, compressor=compressor)
    document, most = request.document, request.answer_tokens
    rows = {
        "latents": reasoner.ask(latents, questions, most_tokens=most),
        "text": reasoner.ask(document, questions, most_tokens=most),
        "retrieval": reasoner.ask_retrieved(document, questions, len(latents[0]), most_tokens=most),
        "nothing": reasoner.ask(None, questions, most_tokens=most),
    }
    note = "; ".join((*latents.record.notes, *_foreign_world(request, compressor)))
    return [
        Asked(question, {source: given[number] for source, given in rows.items()}, note)
        for number, question in enumerate(questions)
    ]


def _foreign_world(request: AskRequest, compressor: Compressor) -> tuple[str, ...]:
    """One line where a model of the lab is asked about a text that is none of the lab's."""
    note = foreign_note(compressor.spec.teacher, request.generator)
    return (note,) if note else ()


def _compressor_name(request: AskRequest) -> str:
    if request.compressor is not None or request.latents is None:
        return request.compressor or SHIPPED
    return Latents.load(request.latents).record.compressor


def _questions(request: AskRequest) -> Sequence[Question | str]:
    if request.questions:
        return request.questions
    own = request.document.questions[: request.most]
    if not own:
        raise UsageError(
            f"document {request.document.document_id!r} has no questions of its own; give one, "
            'such as "Where does Ann live?"'
        )
    return own


def _latents(request: AskRequest, compressor: Compressor) -> Latents:
    """The document's own, made now or read from a file that is checked against it."""
    if request.latents is None:
        with warnings.catch_warnings(action="ignore"):  # a note below the answers says it
            return compressor.compress(request.document, ratio=request.ratio)
    if request.ratio is not None:
        raise UsageError(
            f"--ratio {request.ratio:g}: the latents of {request.latents} have one already; leave "
            "one of the two out"
        )
    kept = Latents.load(request.latents)
    if kept.record.compressor_sha256 != compressor.sha256:
        raise CheckpointError(
            f"{request.latents}: made by another compressor, {kept.record.compressor!r} (weights "
            f"{kept.record.compressor_sha256[:12]}...), and not by {compressor.name!r} "
            f"({compressor.sha256[:12]}...); give --compressor {kept.record.compressor}, or "
            "compress again"
        )
    kept.require_current([describe_document(compressor.teacher, request.document)])
    number = kept.document_ids.index(request.document.document_id)
    return kept[number : number + 1]


def render(results: Sequence[Asked]) -> Iterator[str]:
    """A few lines a question, for a terminal of any width and for pipes."""
    width = max(map(len, SOURCES.values()))
    for number, one in enumerate(results):
        question = one.question
        if number:
            yield ""
        yield question if isinstance(question, str) else question.text
        for source, label in SOURCES.items():
            yield f"  {label:<{width}}  {_shown(one.answers[source], question)}"
        if not isinstance(question, str):
            yield f"  {'right':<{width}}  {question.answer}"
    if results and results[0].note:
        yield f"note: {results[0].note}"


def _shown(answer: Answer, question: Question | str) -> str:
    text = answer.text or "(nothing)"
    if answer.cut:
        text += " ... (cut: give more --answer-tokens)"
    if isinstance(question, str):
        return text
    scored = score(question, answer.text)
    mark = "right" if scored.correct else "stale" if scored.stale else "wrong"
    return f"{text}  [{mark}]"
