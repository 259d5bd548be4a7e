"""Evaluating trials: measure checkpoints on held-out documents, and keep every answer."""

from collections.abc import Callable, Sequence

from ..common import provenance
from ..evaluate.answer_limit import answer_limit
from ..evaluate.arms.table import select_arms
from ..evaluate.bench import Bench
from ..evaluate.held_out import HeldOutSet, held_out
from ..evaluate.ranking import RankedQuestion, Ranking, ranking, write_ranking
from ..evaluate.result import EvaluationResult
from ..evaluate.samples import choose_samples
from ..evaluate.scores import EXACT, AnswersSource, check_scorer, write_answers
from ..evaluate.suite import Outcome, Progress, run_arms
from ..evaluate.text_arms import run_text_arms
from ..experiment.catalogue import known_steps, recipes, steps_of
from ..experiment.eligibility import is_finished, not_exact, why_unjudged
from ..experiment.lineage import Lineage
from ..experiment.phases import PHASES
from ..experiment.run_folder import EvaluationFolder
from ..models.loading import CausalLM
from ..models.precision import dtype_name
from ..models.world import generator_for
from ..reasoner.context import check_context
from ..reasoner.selftest import check_reader
from .answering import answering, check_positions
from .costs import evaluation_cost
from .evaluation_models import load_alone, load_models, name_alone, name_teacher
from .evaluation_notes import notes_of, notes_of_teacher
from .given_summaries import given_summaries
from .measuring import at_ratios, bench_of, lineage_of, provenance_of, record_look
from .subjects import EvaluationRequest as EvaluationRequest
from .subjects import Subject, subjects_of

Tell = Callable[[str], None]
"""Gets a line on what the work will take, before it begins."""
OnKept = Callable[[EvaluationFolder], None]
"""Gets the folder of every evaluation that was kept."""


def evaluate_trials(
    request: EvaluationRequest,
    progress: Progress = lambda arm, documents: None,
    tell: Tell = lambda line: None,
    on_kept: OnKept = lambda folder: None,
) -> tuple[EvaluationResult, ...]:
    """Measure the trials of a recipe on the same held-out documents, with every control.

    At every ratio that the request names, one after the other.

    Every evaluation is kept in a folder of its own, and none is ever overwritten; every look at
    held-out documents is logged before its figures are returned.

    Raises:
        CheckpointError, TeacherError, CorpusError: what it needs is missing, damaged or does not
            belong together, or the documents are those that a checkpoint was trained on.
    """
    select_arms(request.arms)
    check_scorer(request.scorer)
    subjects = subjects_of(request)
    check_positions(request.backend, subjects)
    held = _held_out(request, name_teacher(request, subjects[0].state.spec.teacher)[0])
    summaries = given_summaries(request, held.documents)
    lineages = [lineage_of(request, subject) for subject in subjects]
    for lineage in lineages:
        lineage.refuse(held.documents, held.source)
    teacher, reasoner = load_models(request, subjects)
    limit = _prepare(request, held, reasoner)
    tell(evaluation_cost(reasoner, held.documents, len(subjects), len(request.ratios) or 1))
    results: list[EvaluationResult] = []
    outcome: Outcome | None = None
    with answering(request.backend, reasoner, held.documents, limit) as answerer:
        for subject, lineage in zip(subjects, lineages, strict=True):
            first = bench_of(request, subject, teacher, reasoner, summaries, limit, answerer)
            made: dict[float, EvaluationResult] = {}
            for bench in at_ratios(first, request, subject.state.known_trial.recipe.ratios[0]):
                # Before the work: what ran is the code as it was then.
                seen = provenance_of(request, held, bench, subject)
                outcome = run_arms(bench, held.documents, request.seed, progress, outcome)
                result = _result(request, subject, lineage, held, bench, outcome, seen)
                folder = _keep(request, subject, held, result, outcome)
                if folder is not None:
                    on_kept(folder)
                made[bench.ratio] = result
            results += [made[ratio] for ratio in request.ratios or made]
    return tuple(results)


def evaluate_teacher(
    request: EvaluationRequest,
    progress: Progress = lambda arm, documents: None,
    tell: Tell = lambda line: None,
) -> EvaluationResult:
    """Measure a model with the document and without it: ceiling, floor, and the text as it ships.

    The last one where that does not tell all days.
    """
    check_scorer(request.scorer)
    named = name_alone(request)
    held = _held_out(request, named[0])
    lm = load_alone(request, *named)
    limit = _prepare(request, held, lm)
    tell(evaluation_cost(lm, held.documents, 0))
    seen = provenance.collect(
        {"evaluate": request.seed},
        {"teacher": lm.identity.weights_sha256, "corpus": held.source.sha256},
    )
    with answering(request.backend, lm, held.documents, limit) as answerer:
        answered = run_text_arms(
            lm,
            held.documents,
            request.batch_size,
            scorer=request.scorer,
            rank_too=request.rank,
            answer_tokens=limit,
            answerer=answerer,
            progress=progress,
        )
    return EvaluationResult.from_scores(
        answered.rows,
        seed=request.seed,
        headline="ceiling",
        samples=choose_samples(
            answered.rows, held.documents, seed=request.seed, errors_of="ceiling"
        ),
        provenance=seen,
    ).model_copy(
        update={
            "corpus": held.source,
            "ranking": _ranking(request, held, answered.ranked),
            "scorer": request.scorer,
            "answer_tokens": limit,
            "dtype": dtype_name(lm),
            "backend": request.backend,
            "notes": notes_of_teacher(request, held, lm, limit, answered),
        }
    )


def _prepare(request: EvaluationRequest, held: HeldOutSet, reasoner: CausalLM) -> int:
    """Most tokens of an answer, once it is known that these documents can be asked about.

    Raises:
        CorpusError: a document is longer than the reasoner reads.
        TeacherError: it does not read vectors as it reads text.
    """
    limit = request.answer_tokens or answer_limit(reasoner, held.documents)
    where = str(request.corpus or f"the generated documents of seed {request.seed}")
    check_context(reasoner, held.documents, limit, where)
    check_reader(reasoner, held.documents)
    return limit


def _held_out(request: EvaluationRequest, teacher: str) -> HeldOutSet:
    version = generator_for(teacher, request.generator)
    return held_out(
        request.corpus,
        request.preset,
        request.documents,
        request.seed,
        version,
        steps=request.steps,
    )


def _result(
    request: EvaluationRequest,
    subject: Subject,
    lineage: Lineage,
    held: HeldOutSet,
    bench: Bench,
    outcome: Outcome,
    seen: provenance.Provenance,
) -> EvaluationResult:
    record, state = subject.state.known_trial, subject.state
    numbers = {each.recipe.name: each.number for each in PHASES}
    return EvaluationResult.from_scores(
        outcome.rows,
        seed=request.seed,
        phase=numbers.get(record.recipe.name),
        ratio=bench.ratio,
        sizes=outcome.sizes,
        training_seeds=(record.seed,),
        samples=choose_samples(
            outcome.rows, held.documents, seed=request.seed, errors_of="compressed"
        ),
        skipped=record.skipped,
        provenance=seen,
    ).model_copy(
        update={
            "corpus": held.source,
            "checkpoint_sha256": subject.sha256,
            "trained_ratios": record.trained_ratios,
            "steps": state.step,
            "finished": is_finished(state),
            "unjudged": _unjudged(request, subject, held, lineage),
            "notes": notes_of(request, held, state, bench, outcome),
            "subject": subject.heading,
            "ranking": _ranking(request, held, outcome.ranked),
            "scorer": request.scorer,
            "answer_tokens": bench.answer_tokens,
            "dtype": dtype_name(bench.reasoner),
            "backend": request.backend,
        }
    )


def _keep(
    request: EvaluationRequest,
    subject: Subject,
    held: HeldOutSet,
    result: EvaluationResult,
    outcome: Outcome,
) -> EvaluationFolder | None:
    """Log the look, and write what was measured into a folder of its own; None without a trial."""
    corpus = result.corpus.sha256 if result.corpus else ""
    record_look(request, subject, held, result.ratio)
    if subject.trial is None:
        return None
    source = AnswersSource(
        checkpoint=subject.sha256,
        reasoner=subject.state.spec.reasoner.weights_sha256,
        ratio=result.ratio,
        corpus=corpus,
        tokens=outcome.sizes.tokens,
        vectors=dict(outcome.sizes.vectors),
        scorer=result.scorer,
    )
    name = f"{corpus[:8]}-{result.ratio:g}x-{subject.sha256[:8]}"
    folder = subject.trial.new_evaluation(name)
    write_answers(folder.answers, outcome.rows, source)
    if outcome.ranked:
        write_ranking(folder.ranking, outcome.ranked)
    result.write(folder.result)  # last: its presence says that the evaluation is whole
    return folder


def _ranking(
    request: EvaluationRequest, held: HeldOutSet, ranked: Sequence[RankedQuestion]
) -> Ranking | None:
    originals = {one.document_id: one.original for one in held.documents}
    return ranking(ranked, list(originals), seed=request.seed, originals=originals)


def _unjudged(
    request: EvaluationRequest, subject: Subject, held: HeldOutSet, lineage: Lineage
) -> str:
    """Why these figures get no verdict; empty if they may."""
    if request.scorer != EXACT:
        return not_exact(request.scorer)
    if subject.trial is None:
        return "the checkpoint was given, and is not the run's own"
    if not subject.own:
        return "the checkpoint is the one that is shipped, and not the run's own"
    record = subject.state.known_trial
    catalogue = recipes().get(record.recipe.name)
    if catalogue is None:
        return f"{record.recipe.name} is no recipe of the catalogue"
    name, steps = record.recipe.name, held.source.steps
    wanted = steps if steps in known_steps(name) else steps_of(name)
    return why_unjudged(record, catalogue, held.source, lineage.doubt(held.source), wanted)
