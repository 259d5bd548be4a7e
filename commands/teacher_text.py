"""Summaries and answers of a corpus by the text teacher (`teacher summaries | answers`)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..common.errors import CorpusError
from ..corpus.files import Corpus, read_corpus
from ..corpus.records import Document, Question
from ..corpus.source import generate_corpus
from ..evaluate.scores import score
from ..extract.teachers.text import prompts, results
from ..extract.teachers.text.calls import Call, Reply
from ..extract.teachers.text.results import Summary, WrittenAnswer
from ..models.files import locate_model
from ..models.loading import load_tokenizer
from ..models.prompt import read_prompt
from .text_work import OnPlan, Task, TextRequest, TextWork, Written


@dataclass(frozen=True, slots=True)
class Budget:
    """Length limit of a summary, in tokens of the model that will read it.

    The server counts tokens of its own tokenizer. If these are longer, a summary exceeds the
    budget in the reader's tokens, and the evaluation truncates it.
    """

    ratio: float = 4.0
    """Tokens of the document for each token of its summary."""
    tokenizer: str = "lab"
    """Model whose tokens are counted; that of the reasoner that will read the summary."""
    tokens: int | None = None
    """The same for every document, instead of a ratio."""


def _quiet(model: str, cached: int, missing: int) -> Callable[[Reply], None]:
    return lambda reply: None


def summarise_corpus(
    request: TextRequest, budget: Budget = Budget(), on_plan: OnPlan = _quiet
) -> Written:
    """Summarise every document of a corpus into `summaries.parquet`.

    Raises:
        TeacherError: no server, no such model, or calls without a reply.
        CorpusError, StoreError: the corpus cannot be read, or the folder not written.
    """
    corpus = _corpus(request)
    most = _budgets(corpus.documents, budget)
    work = TextWork(request, corpus)
    tasks = [
        Task(f"document {document.document_id!r}", prompts.summarise(document, tokens), tokens)
        for document, tokens in zip(corpus.documents, most, strict=True)
    ]
    replies = work.ask(tasks, on_plan)
    rows = [
        _summary(document, call, reply)
        for document, (call, reply) in zip(corpus.documents, replies.pairs(), strict=True)
    ]
    path = request.out / results.SUMMARIES
    results.write_summaries(path, rows)
    return work.finish(path, prompts.SUMMARY, replies)


def answer_corpus(request: TextRequest, most_tokens: int = 64, on_plan: OnPlan = _quiet) -> Written:
    """Answer every question of a corpus into `answers.parquet`.

    Raises:
        TeacherError: no server, no such model, or calls without a reply.
        CorpusError, StoreError: the corpus cannot be read or has no questions, or the folder
            cannot be written.
    """
    corpus = _corpus(request)
    pairs = [(document, one) for document in corpus.documents for one in document.questions]
    if not pairs:
        raise CorpusError(f"{request.corpus}: no document has a question; nothing to answer")
    work = TextWork(request, corpus)
    tasks = [
        Task(f"question {one.question_id!r}", prompts.answer(document, one), most_tokens)
        for document, one in pairs
    ]
    replies = work.ask(tasks, on_plan)
    rows = [
        _answer(document, one, call, reply)
        for (document, one), (call, reply) in zip(pairs, replies.pairs(), strict=True)
    ]
    path = request.out / results.ANSWERS
    results.write_text_answers(path, rows)
    return work.finish(path, prompts.ANSWER, replies, correct=sum(row.correct for row in rows))


def _corpus(request: TextRequest) -> Corpus:
    wanted = request.corpus
    return read_corpus(wanted) if isinstance(wanted, Path) else generate_corpus(wanted)


def _budgets(documents: Sequence[Document], budget: Budget) -> list[int]:
    if budget.tokens is not None:
        return [budget.tokens] * len(documents)
    files = locate_model(budget.tokenizer)
    tokenizer = load_tokenizer(files)
    # With the head, as the teacher of hidden states reads it: so a summary has as many tokens
    # as there are latents at the same ratio.
    head = read_prompt(files, tokenizer).head
    encoded = [tokenizer(head + document.text, add_special_tokens=False) for document in documents]
    lengths = [len(one["input_ids"]) for one in encoded]
    return [max(1, math.ceil(length / budget.ratio)) for length in lengths]


def _summary(document: Document, call: Call, reply: Reply) -> Summary:
    return Summary(
        document_id=document.document_id,
        summary=reply.text,
        budget=call.max_tokens,
        tokens=reply.completion_tokens,
        complete=reply.complete,
        call=call.key,
    )


def _answer(document: Document, question: Question, call: Call, reply: Reply) -> WrittenAnswer:
    scored = score(question, reply.text)
    return WrittenAnswer(
        document_id=document.document_id,
        question_id=question.question_id,
        family=question.family,
        question=question.text,
        answer=question.answer,
        written=reply.text,
        correct=scored.correct,
        stale=scored.stale,
        complete=reply.complete,
        call=call.key,
    )
