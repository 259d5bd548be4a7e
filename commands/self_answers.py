"""The command `latentcomp self-answers`: training questions whose answers the reasoner gives.

OUT.partial/request.json   what the answers are of; other options are refused
OUT.partial/answers.jsonl  a line a document, on the disk before the next batch begins
OUT/                       the corpus, once every document is answered; OUT.partial goes then
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..common.record import Record
from ..common.terminal import option, stdout_console

if TYPE_CHECKING:
    from ..corpus.records import Document, Question
    from ..models.loading import CausalLM

_WHAT, _HOW = "What is answered", "How it runs"


class _Begun(Record):
    """What decides the answers."""

    corpus: str
    reasoner: str
    dtype: str
    requests: tuple[str, ...]
    answer_tokens: int


class _Answered(Record):
    """One document, with an answer a request; empty ones are left out of the corpus."""

    document_id: str
    answers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SelfAnswersOptions:
    """Options of `latentcomp self-answers`."""

    corpus: Annotated[Path, option(_WHAT, "Documents, a folder or a JSONL file.")]
    out: Annotated[Path, option(_WHAT, "Folder of the new corpus; must not hold anything.")]
    requests: Annotated[
        str, option(_WHAT, "Some of corpus/requests.py, such as about,names.", metavar="NAMES")
    ] = "all"
    reasoner: Annotated[str, option(_HOW, "Who answers: a name, a folder or a hub id.")] = "lab"
    answer_tokens: Annotated[int, option(_HOW, "Most tokens of an answer.", min=1)] = 48
    batch_size: Annotated[int, option(_HOW, "Documents answered at once.", min=1)] = 8
    device: Annotated[str, option(_HOW, "auto, cpu or cuda.")] = "auto"
    dtype: Annotated[str, option(_HOW, "auto, float32, bfloat16 or float16.")] = "auto"


def self_answers(options: SelfAnswersOptions) -> None:
    """Add questions to a corpus whose answers the reasoner gives with the document before it.

    For texts without questions: a compressor learns to make the reasoner say again what it says of
    the text itself (`--set objectives.distillation=1`). The answers are unchecked and belong in
    no evaluation by exact match. A killed run goes on.
    Example: `latentcomp self-answers --corpus runs/texts --reasoner MODEL --out runs/texts-self`
    """
    from .early import check_input

    _check(options)
    check_input(options.corpus, options.reasoner)
    from rich.progress import Progress

    console = stdout_console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("answering", total=None)

        def on_documents(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of)

        documents, added, left_out = answer_corpus(options, on_documents)
    console.print(
        f"{options.out}: {documents:,} documents, {added:,} answers of {options.reasoner}; "
        f"{left_out:,} without a whole sentence left out"
    )


def answer_corpus(
    options: SelfAnswersOptions, on_documents: Callable[[int, int], None] = lambda done, of: None
) -> tuple[int, int, int]:
    """Answer and write the corpus; documents, answers added, answers left out.

    Raises:
        UsageError: OUT.partial was begun with other options.
        CorpusError, TeacherError: what it needs is missing or damaged.
    """
    from ..common.journal import append_line, read_lines
    from ..corpus.files import read_corpus, write_corpus
    from ..models.loading import load_causal_lm, resolve_device
    from ..models.precision import dtype_name, resolved_dtype

    corpus, names = read_corpus(options.corpus), _requests(options)
    device = resolve_device(options.device).type
    dtype = resolved_dtype(options.dtype, options.reasoner, device)
    lm = load_causal_lm(options.reasoner, device=options.device, dtype=dtype)
    begun = _Begun(
        corpus=corpus.sha256,
        reasoner=lm.identity.weights_sha256,
        dtype=dtype_name(lm),
        requests=names,
        answer_tokens=options.answer_tokens,
    )
    partial = options.out.with_name(f"{options.out.name}.partial")
    _begin(partial, begun, options)
    journal = partial / "answers.jsonl"
    answered = {line.document_id: line.answers for line in read_lines(_Answered, journal)}
    waiting = [one for one in corpus.documents if one.document_id not in answered]
    total = len(corpus.documents)
    for start in range(0, len(waiting), options.batch_size):
        on_documents(total - len(waiting) + start, total)
        batch = waiting[start : start + options.batch_size]
        for document, texts in zip(batch, _answer(lm, batch, names, options), strict=True):
            append_line(journal, _Answered(document_id=document.document_id, answers=texts))
            answered[document.document_id] = texts
    made = [_with_answers(one, names, answered[one.document_id]) for one in corpus.documents]
    meta = {**corpus.meta, "self_answers": begun.model_dump(mode="json")}
    write_corpus(options.out, made, meta)
    shutil.rmtree(partial)
    added = sum(bool(text) for texts in answered.values() for text in texts)
    return total, added, total * len(names) - added


def _answer(
    lm: "CausalLM", batch: Sequence["Document"], names: Sequence[str], options: SelfAnswersOptions
) -> list[tuple[str, ...]]:
    from ..corpus.requests import REQUESTS, whole_sentences
    from ..evaluate.arms.text import ceiling
    from ..reasoner.generate import greedy_answers

    prompts = [[REQUESTS[name] for name in names]] * len(batch)
    texts = greedy_answers(
        lm,
        ceiling(lm, batch),
        prompts,
        most_tokens=options.answer_tokens,
        batch_size=len(batch),
    )
    return [tuple(whole_sentences(text) for text in row) for row in texts]


def _with_answers(document: "Document", names: Sequence[str], answers: Sequence[str]) -> "Document":
    from ..corpus.requests import self_question

    own: tuple[Question, ...] = tuple(
        self_question(document, name, answer)
        for name, answer in zip(names, answers, strict=True)
        if answer
    )
    return replace(document, questions=(*document.questions, *own))


def _requests(options: SelfAnswersOptions) -> tuple[str, ...]:
    from ..common.errors import UsageError
    from ..corpus.requests import REQUESTS

    if options.requests == "all":
        return tuple(REQUESTS)
    names = tuple(dict.fromkeys(name.strip() for name in options.requests.split(",")))
    for name in names:
        if name not in REQUESTS:
            raise UsageError(
                f"--requests {name}: there is no such request; choose of {', '.join(REQUESTS)}"
            )
    return names


def _check(options: SelfAnswersOptions) -> None:
    from ..common.errors import UsageError

    _requests(options)
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise UsageError(f"{options.out}: there is something already: give --out a new folder")


def _begin(partial: Path, begun: _Begun, options: SelfAnswersOptions) -> None:
    from ..common import atomic
    from ..common.errors import UsageError
    from ..common.record import read_record

    file = partial / "request.json"
    if not file.is_file():
        atomic.write_text(file, begun.model_dump_json(indent=2) + "\n")
        return
    before = read_record(_Begun, file)
    for name in _Begun.model_fields:
        if getattr(before, name) != getattr(begun, name):
            raise UsageError(
                f"{partial}: begun with {name} {getattr(before, name)}, now "
                f"{getattr(begun, name)}; give another --out, or the same options to go on"
            )
