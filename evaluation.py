"""`latentcomp evaluate`: measure a checkpoint, or the teacher alone, on held-out documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CheckpointError, CorpusError
from .evaluate.gates import Verdict, judge
from .evaluate.lab_models import measure
from .evaluate.order import write_verdict
from .evaluate.result import EvaluationResult
from .evaluate.samples import choose_samples
from .evaluate.scores import write_answers
from .evaluate.suite import Bench, Progress, run_arms
from .extract.corpus import generate
from .extract.teachers.text.results import read_summaries
from .models import CausalLM, load_causal_lm
from .store import provenance
from .store.atomic import file_sha256
from .store.corpus_files import read_corpus
from .store.records import Document
from .store.schema import TeacherIdentity
from .train import checkpoint
from .train.phases import phase
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
    documents_at_once: int = 8
    summary: bool = False
    """Whether the text summary of as many tokens is measured too."""
    summaries: Path | None = None
    """A file of the text teacher to take the summaries from; None if the reasoner writes them."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation leaves behind."""

    result: EvaluationResult
    verdict: Verdict | None
    """None where it was not the run's own checkpoint on generated test documents."""


def evaluate_phase(
    request: EvaluateRequest, progress: Progress = lambda arm, documents: None
) -> Evaluation:
    """Measure a phase's checkpoint with all controls, and judge it by its gate.

    Raises:
        CheckpointError, TeacherError, CorpusError: what it needs is missing, damaged or does not
            belong together.
    """
    spec = phase(request.phase)
    documents = held_out(request)
    given = _given_summaries(request, documents)
    found = checkpoint.open_checkpoint(_checkpoint_path(request))
    teacher = load_causal_lm(request.teacher, device=request.device)
    name = request.reasoner or REASONERS[spec.reasoner]
    reasoner = teacher if name == request.teacher else load_causal_lm(name, device=request.device)
    _check_same("teacher", found.state.spec.teacher, teacher)
    _check_same("reasoner", found.state.spec.reasoner, reasoner)
    ratio = request.ratio or spec.ratios[0]
    bench = Bench(
        found.model(),
        teacher,
        reasoner,
        ratio,
        request.documents_at_once,
        summary=request.summary or given is not None,
        summaries=given,
    )
    # Before the work: what ran is the code as it was then.
    seen = provenance.collect(
        {"evaluate": request.seed},
        {
            "checkpoint": found.state.sha256[checkpoint.MODEL],
            "teacher": teacher.identity.weights_sha256,
            "reasoner": reasoner.identity.weights_sha256,
        }
        | ({"summaries": file_sha256(request.summaries)} if request.summaries else {}),
    )
    outcome = run_arms(bench, documents, request.seed, progress)
    run: dict[str, Any] = found.state.run
    result = EvaluationResult.from_scores(
        outcome.rows,
        seed=request.seed,
        phase=spec.number,
        ratio=ratio,
        sizes=outcome.sizes,
        training_seeds=(run["plan"]["seed"],),
        samples=choose_samples(outcome.rows, documents, seed=request.seed),
        skipped=run["skipped"],
        provenance=seen,
    )
    verdict = None
    if request.checkpoint is None:
        folder = request.run / "phases" / str(spec.number)
        verdict = judge(spec.number, result.evidence(), skipped=run["skipped"])
        write_answers(folder / "answers.parquet", outcome.rows)
        result.write(folder / "evaluation.json")
        write_verdict(request.run, verdict)
    return Evaluation(result, verdict)


def evaluate_teacher(
    request: EvaluateRequest, progress: Progress = lambda arm, documents: None
) -> EvaluationResult:
    """Measure a model with the document and without it: ceiling and floor alone."""
    documents = held_out(request)
    lm = load_causal_lm(request.teacher, device=request.device)
    seen = provenance.collect({"evaluate": request.seed}, {"teacher": lm.identity.weights_sha256})
    rows = measure(lm, documents, documents_at_once=request.documents_at_once, progress=progress)
    return EvaluationResult.from_scores(
        rows,
        seed=request.seed,
        headline="ceiling",
        samples=choose_samples(rows, documents, seed=request.seed),
        provenance=seen,
    )


def held_out(request: EvaluateRequest) -> Sequence[Document]:
    """The documents to measure on: somebody's corpus, or generated ones of the test split.

    Raises:
        CorpusError: too few documents, or no questions about them.
    """
    if request.corpus is None:
        documents = list(generate(request.preset, "test", request.documents, request.seed))
    else:
        documents = list(read_corpus(request.corpus).documents)
    documents = [document for document in documents if document.questions]
    if len(documents) < 2:
        where = request.corpus or "the generated corpus"
        raise CorpusError(
            f"{where}: {len(documents)} documents with questions; at least 2 are needed, because "
            "one control borrows the latents of another document"
        )
    return documents


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


def _checkpoint_path(request: EvaluateRequest) -> Path:
    """The run's own checkpoint; the shipped one where the run has none."""
    if request.checkpoint is not None:
        return request.checkpoint
    own = request.run / "phases" / str(request.phase) / "checkpoint"
    if checkpoint.exists(own):
        return own
    shipped = SHIPPED / f"phase-{request.phase}"
    if checkpoint.exists(shipped):
        return shipped
    raise CheckpointError(
        f"{own}: phase {request.phase} has no checkpoint in this run and none is shipped; run "
        f"`latentcomp train --phase {request.phase}` first"
    )


def _check_same(role: str, expected: TeacherIdentity, lm: CausalLM) -> None:
    if expected.weights_sha256 != lm.identity.weights_sha256:
        raise CheckpointError(
            f"the checkpoint was trained with {role} {expected.name!r} (weights "
            f"{expected.weights_sha256[:12]}...), not with {lm.identity.name!r} "
            f"({lm.identity.weights_sha256[:12]}...); give the right --{role}"
        )
