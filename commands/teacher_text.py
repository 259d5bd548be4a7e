"""Summaries and answers of a corpus by the text teacher (`teacher summaries | answers`)."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..common import provenance
from ..common.atomic import file_sha256
from ..common.errors import CorpusError
from ..corpus.files import Corpus, read_corpus
from ..corpus.records import Document, Question
from ..corpus.source import GeneratedCorpus, generate_corpus
from ..evaluate.scores import score
from ..extract.teachers.text import prompts, results
from ..extract.teachers.text.cache import ReplyCache
from ..extract.teachers.text.calls import Call, Message, Named, Reply
from ..extract.teachers.text.client import ask, find_model, look_up
from ..extract.teachers.text.prompts import Prompt
from ..extract.teachers.text.results import Summary, TextRecord, WrittenAnswer
from ..extract.teachers.text.server import ServedModel, Server
from ..models.files import locate_model
from ..models.loading import load_tokenizer
from ..models.prompt import read_prompt


@dataclass(frozen=True, slots=True)
class TextRequest:
    """Options of one run of the text teacher."""

    out: Path
    """Folder of the results; the cache lies in it unless another is given."""
    corpus: Path | GeneratedCorpus = GeneratedCorpus()
    server: Server = Server()
    model: str | None = None
    """As the server names it; the only one it has by default."""
    cache: Path | None = None
    """Folder of the replies, which several runs may share."""
    temperature: float = 0.0
    seed: int = 0
    more: dict[str, Any] = field(default_factory=dict)
    """Further fields of every request."""

    @property
    def replies(self) -> ReplyCache:
        """The cache."""
        return ReplyCache(self.cache or self.out / "cache")


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


@dataclass(frozen=True, slots=True)
class Written:
    """Output of a run."""

    file: Path
    record: TextRecord


OnPlan = Callable[[str, int, int], Callable[[Reply], None]]
"""Called before the first call with the model, the number of cached replies and the number of
calls to make; returns a callback that is called with every reply."""


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
    work = _Work(request, corpus, prompts.SUMMARY)
    calls = [
        work.call(f"document {document.document_id!r}", prompts.summarise(document, tokens), tokens)
        for document, tokens in zip(corpus.documents, most, strict=True)
    ]
    replies = work.ask(calls, on_plan)
    rows = [
        _summary(document, named.call, replies.of(named.call))
        for document, named in zip(corpus.documents, calls, strict=True)
    ]
    path = request.out / results.SUMMARIES
    results.write_summaries(path, rows)
    return work.finish(path, calls, replies)


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
    work = _Work(request, corpus, prompts.ANSWER)
    calls = [
        work.call(f"question {one.question_id!r}", prompts.answer(document, one), most_tokens)
        for document, one in pairs
    ]
    replies = work.ask(calls, on_plan)
    rows = [
        _answer(document, one, named.call, replies.of(named.call))
        for (document, one), named in zip(pairs, calls, strict=True)
    ]
    path = request.out / results.ANSWERS
    results.write_text_answers(path, rows)
    return work.finish(path, calls, replies, correct=sum(row.correct for row in rows))


class _Work:
    """One run: model, prompt, calls and record."""

    def __init__(self, request: TextRequest, corpus: Corpus, prompt: Prompt) -> None:
        self._request = request
        self._corpus = corpus
        self._prompt = prompt
        self._cache = request.replies
        self._model, self._seen_served = self._choose()
        # Before the work: what ran is the code as it was then.
        self._seen = provenance.collect({"sampling": request.seed}, {"corpus": corpus.sha256})

    def _choose(self) -> tuple[ServedModel, bool]:
        """The model, and whether the server was just queried for it.

        A given or cached name needs no query, so that a rerun makes no request.
        """
        known = self._cache.served(self._request.server.url)
        wanted = self._request.model
        if known is not None and wanted in (None, known.id):
            return known, False
        if wanted is not None:
            return ServedModel(id=wanted), False
        return find_model(self._request.server, None), True

    def call(self, name: str, messages: tuple[Message, ...], most_tokens: int) -> Named:
        """One call of this run."""
        call = Call(
            model=self._model.id,
            messages=messages,
            max_tokens=most_tokens,
            temperature=self._request.temperature,
            seed=self._request.seed,
            more=self._request.more,
        )
        return Named(name, call)

    def ask(self, calls: Sequence[Named], on_plan: OnPlan) -> "_Replies":
        """The replies to all calls; missing ones are requested if the server has the model."""
        looked_up = look_up(self._cache, calls)
        server = self._request.server
        if looked_up.missing:
            if not self._seen_served:
                self._model = find_model(server, self._model.id)
            self._cache.remember(server.url, self._model)
        on_reply = on_plan(self._model.id, len(looked_up.known), len(looked_up.missing))
        start = time.perf_counter()
        new = ask(server, self._cache, looked_up.missing, on_reply)
        return _Replies(
            by_key=looked_up.known | new,
            from_cache=len(looked_up.known),
            made=len(new),
            seconds=time.perf_counter() - start,
        )

    def finish(
        self, path: Path, calls: Sequence[Named], replies: "_Replies", correct: int | None = None
    ) -> Written:
        """Write the record beside the table.

        A run without requests keeps the record of the run that wrote the same table, with its
        time, machine and duration.
        """
        before = results.read_text_record(path)
        if not replies.made and before is not None and before.sha256 == file_sha256(path):
            return Written(path, before.model_copy(update={"calls_made": 0}))
        given = [replies.of(named.call) for named in calls]
        record = TextRecord(
            file=path.name,
            sha256=file_sha256(path),
            rows=len(calls),
            url=self._request.server.url,
            model=self._model,
            prompt=asdict(self._prompt),
            sampling=calls[0].call.sampling,
            corpus_sha256=self._corpus.sha256,
            from_cache=replies.from_cache,
            calls_made=replies.made,
            prompt_tokens=sum(reply.prompt_tokens or 0 for reply in given),
            completion_tokens=sum(reply.completion_tokens or 0 for reply in given),
            incomplete=sum(_cut(reply) for reply in given),
            correct=correct,
            seconds=replies.seconds,
            provenance=self._seen,
        )
        results.write_text_record(path, record)
        return Written(path, record)


@dataclass(frozen=True, slots=True)
class _Replies:
    by_key: dict[str, Reply]
    from_cache: int
    made: int
    seconds: float

    def of(self, call: Call) -> Reply:
        return self.by_key[call.key]


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


def _cut(reply: Reply) -> bool:
    return reply.finish_reason == "length"


def _summary(document: Document, call: Call, reply: Reply) -> Summary:
    return Summary(
        document_id=document.document_id,
        summary=reply.text,
        budget=call.max_tokens,
        tokens=reply.completion_tokens,
        complete=not _cut(reply),
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
        complete=not _cut(reply),
        call=call.key,
    )
