"""One run of the text teacher: which model answers, how it is asked, and what is recorded."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..common import provenance
from ..common.atomic import file_sha256
from ..common.terminal import stderr_console
from ..corpus.files import Corpus
from ..corpus.source import GeneratedCorpus
from ..extract.teachers.text import results
from ..extract.teachers.text.cache import ReplyCache
from ..extract.teachers.text.calls import Call, Named, Reply
from ..extract.teachers.text.client import NoChatTemplate, ask, look_up
from ..extract.teachers.text.prompts import Asked, Prompt
from ..extract.teachers.text.results import TextRecord
from ..extract.teachers.text.served_model import served_now
from ..extract.teachers.text.server import Server

Api = Literal["auto", "chat", "completions"]
"""How a model is asked; auto: completions where it has no chat template."""


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
    api: Api = "auto"

    @property
    def replies(self) -> ReplyCache:
        """The cache."""
        return ReplyCache(self.cache or self.out / "cache")


@dataclass(frozen=True, slots=True)
class Written:
    """Output of a run."""

    file: Path
    record: TextRecord


@dataclass(frozen=True, slots=True)
class Task:
    """One text that is wanted, before it is known how the model is asked."""

    name: str
    """For messages, such as `document 'test-7-000003'`."""
    asking: Asked
    most_tokens: int


OnPlan = Callable[[str, int, int], Callable[[Reply], None]]
"""Called before the first call with the model, the number of cached replies and the number of
calls to make; returns a callback that is called with every reply."""


@dataclass(frozen=True, slots=True)
class Replies:
    """What came back, and from where."""

    calls: tuple[Call, ...]
    """In the order of the tasks."""
    by_key: dict[str, Reply]
    from_cache: int
    made: int
    seconds: float

    def pairs(self) -> list[tuple[Call, Reply]]:
        """Every call with its reply, in the order of the tasks."""
        return [(call, self.by_key[call.key]) for call in self.calls]


class TextWork:
    """One run: model, prompt, calls and record."""

    def __init__(self, request: TextRequest, corpus: Corpus) -> None:
        """Find out which model answers.

        Raises:
            TeacherError: no server answers and no earlier run says, or it lacks the model.
        """
        self._request = request
        self._corpus = corpus
        self._cache = request.replies
        self._served = served_now(request.server, request.model, self._cache)
        # Before the work: what ran is the code as it was then.
        self._seen = provenance.collect({"sampling": request.seed}, {"corpus": corpus.sha256})

    def ask(self, tasks: Sequence[Task], on_plan: OnPlan) -> Replies:
        """The replies to all tasks; missing ones are requested.

        Raises:
            TeacherError: no server, or calls without a reply.
        """
        try:
            return self._ask(tasks, on_plan)
        except NoChatTemplate:
            if self._request.api == "chat":
                raise
        self._served = self._served.as_plain()
        return self._ask(tasks, on_plan)

    @property
    def _plain(self) -> bool:
        if self._request.api == "auto":
            return bool(self._served.model.plain)
        return self._request.api == "completions"

    def _ask(self, tasks: Sequence[Task], on_plan: OnPlan) -> Replies:
        calls = [Named(task.name, self._call(task)) for task in tasks]
        looked_up, server = look_up(self._cache, calls), self._request.server
        if looked_up.missing:
            if self._served.gone is not None:
                raise self._served.gone
            self._cache.remember(server.url, self._served.model)
        elif self._served.gone is not None:
            tell_user(
                f"no server answers at {server.url} now; replies of {self._served.model.id!r} "
                "that came before are used"
            )
        on_reply = on_plan(self._served.model.id, len(looked_up.known), len(looked_up.missing))
        start = time.perf_counter()
        new = ask(server, self._cache, looked_up.missing, on_reply)
        if new:  # how it had to be asked is known by now
            self._cache.remember(server.url, self._served.model)
        return Replies(
            calls=tuple(named.call for named in calls),
            by_key=looked_up.known | new,
            from_cache=len(looked_up.known),
            made=len(new),
            seconds=time.perf_counter() - start,
        )

    def _call(self, task: Task) -> Call:
        request, served = self._request, self._served
        plain, more = self._plain, dict(request.more)
        if plain:
            # Of a chat alone; the head of the prompt stands in the text already.
            more.pop("chat_template_kwargs", None)
            own = {"add_special_tokens": False} if served.template.head else {}
            stop = {"stop": list(task.asking.stop)} if task.asking.stop else {}
            more = own | stop | more
        return Call(
            model=served.model.id,
            messages=() if plain else task.asking.messages,
            prompt=task.asking.plain(served.template) if plain else None,
            served=served.model.settings,
            max_tokens=task.most_tokens,
            temperature=request.temperature,
            seed=request.seed,
            more=more,
        )

    def finish(
        self, path: Path, prompt: Prompt, replies: Replies, correct: int | None = None
    ) -> Written:
        """Write the record beside the table.

        A run without requests keeps the record of the run that wrote the same table, with its
        time, machine and duration.
        """
        before = results.read_text_record(path)
        if not replies.made and before is not None and before.sha256 == file_sha256(path):
            return Written(path, before.model_copy(update={"calls_made": 0}))
        given = [reply for _, reply in replies.pairs()]
        record = TextRecord(
            file=path.name,
            sha256=file_sha256(path),
            rows=len(given),
            url=self._request.server.url,
            model=self._served.model,
            prompt=prompt.recorded(self._served.template if self._plain else None),
            sampling=replies.calls[0].sampling,
            corpus_sha256=self._corpus.sha256,
            from_cache=replies.from_cache,
            calls_made=replies.made,
            prompt_tokens=sum(reply.prompt_tokens or 0 for reply in given),
            completion_tokens=sum(reply.completion_tokens or 0 for reply in given),
            incomplete=sum(not reply.complete for reply in given),
            correct=correct,
            seconds=replies.seconds,
            provenance=self._seen,
        )
        results.write_text_record(path, record)
        return Written(path, record)


def tell_user(line: str) -> None:
    """One line on stderr."""
    stderr_console().print(line, style="yellow")
