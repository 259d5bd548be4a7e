"""`latentcomp evaluate`: measure a checkpoint, or the teacher alone, on held-out documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ..common import provenance
from ..common.atomic import file_sha256
from ..common.errors import CheckpointError, CorpusError
from ..compressor import checkpoint
from ..corpus.records import Document
from ..evaluate.arms.table import select_arms
from ..evaluate.bench import Bench
from ..evaluate.gates import judge
from ..evaluate.held_out import HeldOutSet, Training, held_out, known_names, undated_in_text
from ..evaluate.history import record_verdict
from ..evaluate.order import phase_folder
from ..evaluate.result import EvaluationResult
from ..evaluate.samples import choose_samples
from ..evaluate.scores import AnswersSource, ScoredAnswer, write_answers
from ..evaluate.suite import Progress, run_arms
from ..evaluate.verdict import Verdict
from ..extract.read_documents import read_documents
from ..extract.teachers.text.results import read_summaries
from ..lab.make import measure
from ..models.loading import CausalLM, load_causal_lm
from ..store.format.schema import ModelIdentity
from ..train.phases import PhaseSpec, phase
from .training import REASONERS, SHIPPED


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What the user asked for."""

    run: Path
    phase: int
    documents: int = 200
    seed: int = 1
    preset: str = "lab"
    corpus: Path | None = None
    """Somebody's documents instead of generated ones."""
    checkpoint: Path | None = None
    """Another checkpoint than the run's own."""
    teacher: str = "lab"
    reasoner: str | None = None
    ratio: float | None = None
    """Tokens per latent; the phase's own when None."""
    device: str = "auto"
    batch_size: int = 8
    arms: tuple[str, ...] = ()
    """Optional arms to measure too, such as `summary` and `truncation`."""
    summaries: Path | None = None
    """A file of the text teacher to take the summaries from; None if the reasoner writes them."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation leaves behind."""

    result: EvaluationResult
    verdict: Verdict | None
    """None where there is none; `result.unjudged` says why."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is evaluated."""

    found: checkpoint.Checkpoint
    spec: PhaseSpec
    """As it was trained, which an ablation or an earlier version makes other than the catalog."""
    own: bool
    """Whether it is the run's own checkpoint."""

    @property
    def sha256(self) -> str:
        """Of its weights."""
        return self.found.state.sha256[checkpoint.MODEL]


def evaluate_phase(
    request: EvaluateRequest, progress: Progress = lambda arm, documents: None
) -> Evaluation:
    """Measure a phase's checkpoint with all controls, and judge it by its gate.

    Only the run's own checkpoint of the phase as it stands in the catalog, on generated documents
    of the test split, gets a verdict.

    Raises:
        PhaseError: there is no such phase.
        CheckpointError, TeacherError, CorpusError: what it needs is missing, damaged or does not
            belong together, or the documents are those that the checkpoint was trained on.
    """
    phase(request.phase)
    select_arms(request.arms)
    held = held_out(request.corpus, request.preset, request.documents, request.seed)
    given = _given_summaries(request, held.documents)
    subject = _subject(request)
    training = Training.of(subject.found.state.run, request.run, own=subject.own)
    training.refuse(held)
    bench = _bench(request, subject, given)
    # Before the work: what ran is the code as it was then.
    seen = _provenance(request, held, bench, subject)
    outcome = run_arms(bench, held.documents, request.seed, progress)
    state = subject.found.state
    result = EvaluationResult.from_scores(
        outcome.rows,
        seed=request.seed,
        phase=subject.spec.number,
        ratio=bench.ratio,
        sizes=outcome.sizes,
        training_seeds=(state.run["plan"]["seed"],),
        samples=choose_samples(outcome.rows, held.documents, seed=request.seed),
        skipped=state.run["skipped"],
        provenance=seen,
    ).model_copy(
        update={
            "corpus": held.source,
            "checkpoint_sha256": subject.sha256,
            "steps": state.step,
            "finished": _finished(state),
            "unjudged": _unjudged(request, subject, training),
            "notes": _notes(request, held, state),
        }
    )
    if request.checkpoint is not None:
        return Evaluation(result, None)
    return Evaluation(result, _keep(request, subject, result, outcome.rows))


def _keep(
    request: EvaluateRequest,
    subject: _Subject,
    result: EvaluationResult,
    rows: Sequence[ScoredAnswer],
) -> Verdict | None:
    """Write what was found into the run folder; the verdict, if there is one."""
    folder = phase_folder(request.run, subject.spec.number)
    source = AnswersSource(
        checkpoint=subject.sha256,
        reasoner=subject.found.state.spec.reasoner.weights_sha256,
        ratio=result.ratio,
        corpus=result.corpus.sha256 if result.corpus else "",
    )
    write_answers(folder / "answers.parquet", rows, source)
    result.write(folder / "evaluation.json")
    if result.unjudged:
        return None
    evidence = result.evidence(phase_ratio=subject.spec.ratios[0])
    return record_verdict(request.run, judge(subject.spec.number, evidence, skipped=result.skipped))


def evaluate_teacher(
    request: EvaluateRequest, progress: Progress = lambda arm, documents: None
) -> EvaluationResult:
    """Measure a model with the document and without it: ceiling and floor alone."""
    held = held_out(request.corpus, request.preset, request.documents, request.seed)
    lm = load_causal_lm(request.teacher, device=request.device)
    seen = provenance.collect(
        {"evaluate": request.seed},
        {"teacher": lm.identity.weights_sha256, "corpus": held.source.sha256},
    )
    rows = measure(lm, held.documents, batch_size=request.batch_size, progress=progress)
    return EvaluationResult.from_scores(
        rows,
        seed=request.seed,
        headline="ceiling",
        samples=choose_samples(rows, held.documents, seed=request.seed),
        provenance=seen,
    ).model_copy(update={"corpus": held.source})


def _subject(request: EvaluateRequest) -> _Subject:
    path, own = _checkpoint_path(request)
    found = checkpoint.open_checkpoint(path)
    try:
        spec = PhaseSpec.model_validate(found.state.run["phase"])
    except (KeyError, ValidationError) as error:
        raise CheckpointError(
            f"{path}: it does not say which phase it is of, or as another version did; train again"
        ) from error
    if spec.number != request.phase:
        raise CheckpointError(
            f"{path}: a checkpoint of phase {spec.number}, not {request.phase}; give "
            f"--phase {spec.number}, or another checkpoint"
        )
    return _Subject(found, spec, own)


def _checkpoint_path(request: EvaluateRequest) -> tuple[Path, bool]:
    """The run's own checkpoint, the shipped one where the run has none; whether it is its own."""
    if request.checkpoint is not None:
        return request.checkpoint, False
    own = phase_folder(request.run, request.phase) / "checkpoint"
    if checkpoint.exists(own):
        return own, True
    shipped = SHIPPED / f"phase-{request.phase}"
    if checkpoint.exists(shipped):
        return shipped, False
    raise CheckpointError(
        f"{own}: phase {request.phase} has no checkpoint in this run and none is shipped; run "
        f"`latentcomp train --phase {request.phase}` first"
    )


def _bench(request: EvaluateRequest, subject: _Subject, given: dict[str, str] | None) -> Bench:
    teacher = load_causal_lm(request.teacher, device=request.device)
    name = request.reasoner or REASONERS[subject.spec.reasoner]
    reasoner = teacher if name == request.teacher else load_causal_lm(name, device=request.device)
    _check_same("teacher", subject.found.state.spec.teacher, teacher)
    _check_same("reasoner", subject.found.state.spec.reasoner, reasoner)
    return Bench(
        subject.found.model(),
        partial(
            read_documents,
            teacher,
            layers=subject.found.state.spec.layers,
            batch_size=request.batch_size,
        ),
        reasoner,
        request.ratio or subject.spec.ratios[0],
        request.batch_size,
        arms=(*request.arms, "summary") if given is not None else request.arms,
        summaries=given,
    )


def _provenance(
    request: EvaluateRequest, held: HeldOutSet, bench: Bench, subject: _Subject
) -> provenance.Provenance:
    inputs = {
        "checkpoint": subject.sha256,
        "teacher": subject.found.state.spec.teacher.weights_sha256,
        "reasoner": bench.reasoner.identity.weights_sha256,
        "corpus": held.source.sha256,
    }
    if request.summaries:
        inputs["summaries"] = file_sha256(request.summaries)
    return provenance.collect({"evaluate": request.seed}, inputs)


_TEXT: Final = {"title", "learns", "available", "lacks"}
"""Of a phase: what describes it and decides nothing."""


def _unjudged(request: EvaluateRequest, subject: _Subject, training: Training) -> str:
    """Why these figures get no verdict; empty if they do."""
    if request.checkpoint is not None:
        return "the checkpoint was given, and is not the run's own"
    if not subject.own:
        return "the checkpoint is the one that is shipped, and not the run's own"
    if request.corpus is not None:
        return "the documents were given, and are not generated ones of the test split"
    if subject.spec.model_dump(exclude=_TEXT) != phase(request.phase).model_dump(exclude=_TEXT):
        return f"the checkpoint is of a phase {request.phase} that differs from the catalog"
    return training.doubt()


def _finished(state: checkpoint.CheckpointState) -> bool:
    """Whether the budget was used up; of earlier versions, whether it is certain."""
    if state.finished is not None:
        return state.finished
    plan = state.run["plan"]
    if plan["steps"] is not None:
        return bool(state.step >= plan["steps"])
    # Between two multiples, only the end of a run was saved.
    return bool(state.step % plan["save_every"])


def _notes(
    request: EvaluateRequest, held: HeldOutSet, state: checkpoint.CheckpointState
) -> tuple[str, ...]:
    told = request.corpus is not None and state.spec.time
    notes = (known_names(held.source), undated_in_text(held.documents) if told else "")
    return tuple(note for note in notes if note)


def _given_summaries(
    request: EvaluateRequest, documents: Sequence[Document]
) -> dict[str, str] | None:
    """Summary of every document, from the file that was named."""
    if request.summaries is None:
        return None
    texts = {row.document_id: row.summary for row in read_summaries(request.summaries)}
    missing = [one.document_id for one in documents if one.document_id not in texts]
    if missing:
        raise CorpusError(
            f"{request.summaries}: no summary of {len(missing)} of {len(documents)} documents "
            f"(first: {missing[0]!r}); write them with `latentcomp teacher summaries` on the "
            "same corpus"
        )
    return texts


def _check_same(role: str, expected: ModelIdentity, lm: CausalLM) -> None:
    if expected.weights_sha256 != lm.identity.weights_sha256:
        raise CheckpointError(
            f"the checkpoint was trained with {role} {expected.name!r} (weights "
            f"{expected.weights_sha256[:12]}...), not with {lm.identity.name!r} "
            f"({lm.identity.weights_sha256[:12]}...); give the right --{role}"
        )
