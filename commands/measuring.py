"""What every measurement of a checkpoint on held-out documents has: its bench, lineage and log."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..common import provenance
from ..common.atomic import file_sha256
from ..evaluate.bench import Bench
from ..evaluate.held_out import HeldOutSet
from ..experiment.lineage import Lineage
from ..experiment.looks import log_look
from ..experiment.run_folder import RunFolder
from ..extract.read_documents import read_documents
from ..models.loading import CausalLM
from ..reasoner.generate import Answerer, greedy_answers
from .subjects import EvaluationRequest, Subject


def lineage_of(request: EvaluationRequest, subject: Subject) -> Lineage:
    """What a checkpoint was trained on."""
    record = subject.state.known_trial
    return Lineage.of(record, RunFolder(request.run).corpus, own=subject.own)


def bench_of(
    request: EvaluationRequest,
    subject: Subject,
    teacher: CausalLM,
    reasoner: CausalLM,
    summaries: dict[str, str] | None = None,
    answer_tokens: int | None = None,
    answerer: Answerer = greedy_answers,
) -> Bench:
    """A checkpoint between its models, as the request would have it measured first."""
    layers = subject.state.spec.layers
    return Bench(
        subject.weights.model(),
        partial(read_documents, teacher, layers=layers, batch_size=request.batch_size),
        reasoner,
        (request.ratios or subject.state.known_trial.recipe.ratios)[0],
        request.batch_size,
        arms=(*request.arms, "summary") if summaries is not None else request.arms,
        rank=request.rank,
        scorer=request.scorer,
        summaries=summaries,
        answer_tokens=answer_tokens,
        answerer=answerer,
    )


def at_ratios(
    bench: Bench, request: EvaluationRequest, last: float | None = None
) -> Iterator[Bench]:
    """The same at every ratio that is asked for; as it is where none is named.

    Args:
        bench: of a checkpoint.
        request: names the ratios, in the order in which they are measured.
        last: the one that comes behind them all: a phase is judged on the newest evaluation of its
            trial.
    """
    for ratio in sorted(request.ratios or (bench.ratio,), key=lambda each: each == last):
        yield replace(bench, ratio=ratio)


def provenance_of(
    request: EvaluationRequest, held: HeldOutSet, bench: Bench, subject: Subject
) -> provenance.Provenance:
    """Code, machine, seed and the hashes of everything that a measurement reads."""
    inputs = {
        "checkpoint": subject.sha256,
        "teacher": subject.state.spec.teacher.weights_sha256,
        "reasoner": bench.reasoner.identity.weights_sha256,
        "corpus": held.source.sha256,
    }
    if request.summaries:
        inputs["summaries"] = file_sha256(request.summaries)
    return provenance.collect({"evaluate": request.seed}, inputs)


def record_look(
    request: EvaluationRequest, subject: Subject, held: HeldOutSet, ratio: float
) -> None:
    """Log that these documents were looked at with this checkpoint."""
    log_look(
        RunFolder(request.run),
        trial=subject.name,
        recipe=subject.state.known_trial.recipe,
        checkpoint_sha256=subject.sha256,
        corpus_sha256=held.source.sha256,
        seed=held.source.seed,
        documents=held.originals,
        ratio=ratio,
    )
