"""The extraction: corpus, tokens, plan, teacher, store; resumes where a killed run ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from rich.console import Console

from .. import __version__
from ..model_files import locate_model
from ..models import DTYPES, load_causal_lm, load_text_side, resolve_device
from ..store.corpus_files import Corpus
from ..store.layout import MANIFEST, SEAL
from ..store.provenance import collect
from ..store.schema import DocumentEntry, Manifest
from ..store.writer import StoreWriter
from .backends import Choice, Need, choose_backend, start_vllm
from .batches import Window, plan_windows
from .layers import resolve_layers
from .plan import ExtractionPlan, check_space, make_plan, pending_batches, render_plan
from .progress import TokenProgress, token_progress
from .rate import measure_rate
from .record import (
    ExtractionSettings,
    RunRecord,
    Session,
    check_settings,
    read_record,
    write_record,
)
from .releasing import most_held, stopping, write_function
from .request import ExtractionOutcome, ExtractionRequest
from .source import run_corpus
from .teachers.protocol import Teacher
from .teachers.transformers_teacher import TransformersTeacher
from .tokens import tokenize_document


@dataclass(frozen=True)
class _Job:
    """A request with everything that can be known without running the teacher."""

    request: ExtractionRequest
    settings: ExtractionSettings
    need: Need
    choice: Choice
    corpus: Corpus
    entries: tuple[DocumentEntry, ...]
    manifest: Manifest
    writer: StoreWriter
    pending: frozenset[int]

    @cached_property
    def documents(self) -> list[list[int]]:
        """Token ids of every document."""
        return [np.asarray(entry.token_ids).tolist() for entry in self.entries]

    @property
    def packed(self) -> bool:
        """True if the engine computes no padding."""
        return self.choice.backend == "vllm"

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """How the whole corpus is read; the same for a resumed run."""
        lengths = [len(document) for document in self.documents]
        return tuple(plan_windows(lengths, self.request.batch_tokens, packed=self.packed))

    def plan(self, tokens_per_second: float | None) -> ExtractionPlan:
        """The plan at this rate."""
        lengths = [len(document) for document in self.documents]
        return make_plan(self.manifest, lengths, self.windows, self.pending, tokens_per_second)


def extract(request: ExtractionRequest, console: Console) -> ExtractionOutcome:
    """Extract what is not in the run's store yet, telling the console about it.

    Raises:
        LatentcompError: whatever the user can act on; what was committed stays.
    """
    with console.status("reading the corpus"):
        job = _prepare(request)
    if not job.pending:
        return _nothing_to_do(job, console)
    console.print(str(job.choice))
    with console.status(f"loading the teacher {request.teacher}"):
        teacher = _load_teacher(job)
    with stopping(teacher):
        return _extract_with(job, teacher, console)


def _extract_with(job: _Job, teacher: Teacher, console: Console) -> ExtractionOutcome:
    request = job.request
    with console.status("measuring how fast it reads"):
        rate = request.tokens_per_second or _measure(job, teacher)
    plan = job.plan(rate)
    console.print(render_plan(plan, request.store))
    if request.dry_run:
        console.print("dry run: nothing was written")
        return ExtractionOutcome(plan, request.store, 0, 0.0)
    check_space(plan, request.store)
    seconds = _run(job, teacher, plan, console)
    console.print(
        f"{request.store}: {plan.documents_left:,} documents, {plan.tokens_left:,} tokens in "
        f"{seconds:.1f} s ({plan.tokens_left / seconds:,.0f} tokens/s)"
    )
    return ExtractionOutcome(plan, request.store, plan.documents_left, seconds)


def _prepare(request: ExtractionRequest) -> _Job:
    text_side = load_text_side(request.teacher, revision=request.revision)
    layers = resolve_layers(request.layers, text_side.identity.blocks)
    record = read_record(request.run) if (request.store / MANIFEST).exists() else None
    need = Need(
        files=locate_model(request.teacher, revision=request.revision),
        layers=layers,
        device=resolve_device(request.device),
        compute_dtype=request.settings.compute_dtype,
        batch_tokens=request.batch_tokens,
        context_tokens=text_side.context_tokens,
    )
    begun_with = record.settings.backend if record else None
    choice = choose_backend(request.backend, need, begun_with)
    settings = request.settings.model_copy(update={"backend": choice.backend})
    if record:
        check_settings(record.settings, settings, request.store)
    corpus = run_corpus(request.corpus, request.run / "corpus", write=not request.dry_run)
    entries = tuple(tokenize_document(text_side, document) for document in corpus.documents)
    manifest = Manifest(
        teacher=text_side.identity,
        layers=layers,
        dtype=request.dtype,
        codec=request.codec,
        corpus_sha256=corpus.sha256,
        code_version=__version__,
    )
    writer = StoreWriter(request.store, manifest, entries)
    pending = frozenset(writer.pending())
    return _Job(request, settings, need, choice, corpus, entries, manifest, writer, pending)


def _nothing_to_do(job: _Job, console: Console) -> ExtractionOutcome:
    store = job.request.store
    if not (store / SEAL).exists() and not job.request.dry_run:
        with job.writer:  # it was killed between the last shard and the seal
            pass
    plan = job.plan(None)
    console.print(
        f"{store} is complete: {plan.documents:,} documents, {plan.tokens:,} tokens; nothing to do"
    )
    return ExtractionOutcome(plan, store, 0, 0.0)


def _load_teacher(job: _Job) -> Teacher:
    if job.choice.backend == "vllm":
        lengths = [len(document) for document in job.documents]
        held = most_held(lengths, job.windows, job.manifest.shard_tokens)
        return start_vllm(job.need, held)
    lm = load_causal_lm(
        job.request.teacher,
        revision=job.request.revision,
        dtype=job.settings.compute_dtype,
        device=job.request.device,
    )
    return TransformersTeacher(lm)


def _measure(job: _Job, teacher: Teacher) -> float:
    batches = pending_batches(job.windows, job.pending)
    middle = batches[len(batches) // 2]
    documents = [job.documents[index] for index in middle.indices]
    return measure_rate(teacher, documents, job.manifest.layers)


def _run(job: _Job, teacher: Teacher, plan: ExtractionPlan, console: Console) -> float:
    """Read and write everything pending, recording the session; returns seconds."""
    documents = sum(len(batch.indices) for batch in pending_batches(job.windows, job.pending))
    with job.writer as writer:
        write = write_function(writer, teacher, job.documents)
        record = _start_record(job, plan)
        start = time.perf_counter()
        with token_progress(console, documents, plan.computed_tokens_left) as progress:
            for window in job.windows:
                _extract_window(job, teacher, window, write, progress)
    seconds = time.perf_counter() - start
    write_record(job.request.run, record.finished(seconds))
    return seconds


def _extract_window(
    job: _Job,
    teacher: Teacher,
    window: Window,
    write: Callable[[int, torch.Tensor], None],
    progress: TokenProgress,
) -> None:
    """Read the batches of a window that are needed, and write their documents in order."""
    states: dict[int, torch.Tensor] = {}
    for batch in pending_batches([window], job.pending):
        documents = [job.documents[index] for index in batch.indices]
        read = teacher.states(documents, job.manifest.layers)
        for index, state in zip(batch.indices, read, strict=True):
            states[index] = state.to(DTYPES[job.manifest.dtype])
        progress.read(batch)
    for index in sorted(job.pending.intersection(states)):
        write(index, states.pop(index))


def _start_record(job: _Job, plan: ExtractionPlan) -> RunRecord:
    meta = job.corpus.meta
    teacher = job.manifest.teacher
    session = Session(
        provenance=collect(
            seeds={"corpus": meta["seed"]} if "seed" in meta else {},
            inputs={
                "corpus": job.corpus.sha256,
                "teacher_weights": teacher.weights_sha256,
                "teacher_tokenizer": teacher.tokenizer_sha256,
            },
        ),
        documents=plan.documents_left,
        computed_tokens=plan.computed_tokens_left,
    )
    record = read_record(job.request.run)
    if record is None or record.settings != job.settings:
        record = RunRecord(settings=job.settings)
    record = record.started(session)
    write_record(job.request.run, record)
    return record
