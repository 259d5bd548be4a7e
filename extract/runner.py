"""Running an extraction: corpus, tokens, plan, teacher, store; resumes a killed run."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from rich.console import Console

from ..common.errors import StoreBusyError
from ..common.provenance import collect
from ..models.loading import DTYPES
from ..store.format.seal import at_rest
from ..store.places.open import place_of
from ..store.write.writer import StoreWriter
from .backends import start_vllm
from .batches import DocumentBatch
from .fill import fill_store
from .job import Job, prepare
from .plan import ExtractionPlan, check_space, pending_batches, render_plan
from .rate import measure_rate
from .record import Session, end_session, start_session
from .releasing import max_uncommitted, stopping, write_function
from .request import ExtractionOutcome, ExtractionRequest
from .self_test import Subject, check_engine, free_memory, load_tested, prepare_reference
from .self_test_record import SelfTest
from .shard_ranges import ShardRange, fill_shard_ranges, shard_ranges_of
from .teachers.protocol import Teacher
from .token_progress import token_progress


def extract(request: ExtractionRequest, console: Console) -> ExtractionOutcome:
    """Extract what is not in the run's store yet, with progress on the console.

    Raises:
        LatentcompError: anything that the user can act on; committed shards stay.
    """
    if not request.rank.first:
        console = Console(quiet=True)
    with console.status("reading the corpus"):
        job = prepare(request)
    if not job.pending:
        return nothing_to_do(job, console)
    console.print(str(job.choice))
    with console.status(f"loading the teacher {request.teacher}"):
        teacher, tested = load_job_teacher(job)
    with stopping(teacher):
        return _extract_with(job, teacher, tested, console)


def _extract_with(
    job: Job, teacher: Teacher, tested: SelfTest, console: Console
) -> ExtractionOutcome:
    request = job.request
    rate = request.tokens_per_second
    if rate is None:  # every rank: it compiles, too
        with console.status("measuring how fast it reads"):
            rate = _measure(job, teacher)
    plan = job.plan(rate)
    console.print(render_plan(plan, request.store))
    if request.dry_run:
        console.print("dry run: nothing was written")
        return ExtractionOutcome(plan, request.store, 0, 0.0)
    check_space(plan, request.store)
    ranges = shard_ranges_of(request.rank, job.shards, len(job.windows))
    seconds = fill_ranges_of_job(job, teacher, tested, ranges, rate, console)
    console.print(
        f"{request.store}: {plan.documents_left:,} documents, {plan.tokens_left:,} tokens in "
        f"{seconds:.1f} s ({plan.tokens_left / seconds:,.0f} tokens/s)"
    )
    return ExtractionOutcome(plan, request.store, plan.documents_left, seconds)


def nothing_to_do(job: Job, console: Console) -> ExtractionOutcome:
    """Report a complete store, and seal it if its last writer was killed before the seal."""
    store = job.request.store
    if not job.request.dry_run and not at_rest(place_of(store)):
        with suppress(StoreBusyError), job.writer():  # or another rank is about to seal it
            pass
    plan = job.plan(None)
    console.print(
        f"{store} is complete: {plan.documents:,} documents, {plan.tokens:,} tokens; nothing to do"
    )
    return ExtractionOutcome(plan, store, 0, 0.0)


def load_job_teacher(job: Job) -> tuple[Teacher, SelfTest]:
    """The teacher of a job, on the device of this process, and the self-test that it passed.

    Raises:
        TeacherError: it cannot be loaded, or its states are not what they should be.
    """
    subject = Subject(
        job.need.files,
        job.manifest.layers,
        job.settings.compute_dtype,
        job.need.device,
        job.reading_mode,
    )
    if job.choice.backend != "vllm":
        return load_tested(subject, job.documents, job.lengths)
    _, prepared = prepare_reference(subject, job.documents, job.lengths)
    free_memory()  # the engine takes nearly all there is
    uncommitted = max_uncommitted(job.lengths, job.windows, job.manifest.shard_tokens)
    teacher = start_vllm(job.need, uncommitted)
    try:
        return teacher, check_engine(prepared, subject, teacher, job.choice.backend)
    except BaseException:
        teacher.close()
        raise


def _measure(job: Job, teacher: Teacher) -> float:
    batches = pending_batches(job.windows, job.pending)
    middle = batches[len(batches) // 2]
    documents = [job.documents[index] for index in middle.indices]
    return measure_rate(teacher, documents, job.manifest.layers, packed=job.packed)


def fill_ranges_of_job(
    job: Job,
    teacher: Teacher,
    tested: SelfTest,
    ranges: Sequence[ShardRange],
    rate: float | None,
    console: Console,
) -> float:
    """Read and write what is missing in these ranges, recording the session; returns seconds.

    Raises:
        LatentcompError: anything that the user can act on; committed shards stay.
    """
    world, plan = job.request.rank.world, job.plan(rate)
    batches = pending_batches(job.windows, job.pending)
    documents = sum(len(batch.indices) for batch in batches) // world
    session = _session(job, plan, tested)
    start_session(job.request.run, job.settings, session)
    start = time.perf_counter()
    with token_progress(console, documents, plan.computed_tokens_left // world) as progress:
        fill_shard_ranges(
            ranges, job.writer, lambda writer: _fill(job, teacher, writer, progress.read)
        )
    seconds = time.perf_counter() - start
    end_session(job.request.run, session, seconds)
    return seconds


def _fill(
    job: Job, teacher: Teacher, writer: StoreWriter, on_batch: Callable[[DocumentBatch], None]
) -> None:
    """Read and write what is pending of one writer."""
    fill_store(
        write_function(writer, teacher, job.documents),
        teacher,
        job.documents,
        job.windows,
        writer.pending_set(),
        job.manifest.layers,
        DTYPES[job.manifest.dtype],
        on_batch,
    )


def _session(job: Job, plan: ExtractionPlan, tested: SelfTest) -> Session:
    meta = job.corpus_meta
    teacher = job.manifest.teacher
    return Session(
        provenance=collect(
            seeds={"corpus": meta["seed"]} if "seed" in meta else {},
            inputs={
                "corpus": job.manifest.corpus_sha256,
                "teacher_weights": teacher.weights_sha256,
                "teacher_tokenizer": teacher.tokenizer_sha256,
            },
        ),
        documents=plan.documents_left,
        computed_tokens=plan.computed_tokens_left,
        rank=job.request.rank.rank,
        world=job.request.rank.world,
        self_test=tested,
    )
