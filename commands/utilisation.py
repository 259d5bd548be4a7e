"""The command `latentcomp utilisation`: what latents are worth, in nats of the right answers."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from ..common.terminal import stdout_console
from .measure_options import MeasureOptions
from .result_files import files_of

if TYPE_CHECKING:
    from ..common.provenance import Provenance
    from ..evaluate.bench import Bench
    from ..evaluate.held_out import HeldOutSet
    from ..evaluate.suite import Progress
    from ..evaluate.utilisation.measure import AnswerCost, Costs
    from ..evaluate.utilisation.result import UtilisationResult
    from ..models.loading import CausalLM
    from .subjects import EvaluationRequest, Subject

COSTS: Final = "costs.parquet"
"""Of a measurement: every cost, a row an answer and arm."""


@dataclass(frozen=True, kw_only=True)
class UtilisationOptions(MeasureOptions):
    """Options of `latentcomp utilisation`."""

    continuations: ClassVar[bool] = True


def utilisation(options: UtilisationOptions) -> None:
    """CE utilisation: the share of what the whole document saves, in nats, that latents save too.

    Nothing is generated, so it measures continuations, and models whose answers are seldom exact.
    Every measurement is kept in a folder of its own beside the trial; it has no verdict.
    Example: `latentcomp utilisation --run runs/real --corpus runs/real-test --arms truncation,bm25`
    """
    from ..evaluate.progress import arm_progress
    from ..evaluate.utilisation.table import print_utilisation

    request, console = options.request(), stdout_console()
    with arm_progress(console) as progress:
        measured = (
            [(measure_reasoner(request, progress), None)]
            if options.teacher_only
            else measure_trials(request, progress)
        )
    for result, folder in measured:
        print_utilisation(result, console)
        if folder is not None:
            console.print(f"{folder}: written")
    if options.json is not None:
        for file, result in files_of(options.json, [result for result, _ in measured]).items():
            result.write(file)
            console.print(f"{file}: written")


def measure_trials(
    request: "EvaluationRequest",
    progress: "Progress",
    variants: "Callable[[Bench], Iterable[Bench]] | None" = None,
) -> list[tuple["UtilisationResult", Path | None]]:
    """Measure the trials of a recipe on the same documents; with the folder of each.

    Args:
        request: what, and on which documents.
        progress: receives the arm and the documents just finished.
        variants: what is measured of each checkpoint; by default its bench at the ratios of the
            request.

    Raises:
        CheckpointError, TeacherError, CorpusError: what it needs is missing, damaged or does not
            belong together, or the documents are those that a checkpoint was trained on.
    """
    from ..evaluate.arms.table import WHOLE_ARMS, select_arms
    from ..evaluate.utilisation.measure import measure_costs
    from .evaluation_models import load_models, name_teacher
    from .measuring import at_ratios, bench_of, lineage_of, provenance_of
    from .subjects import subjects_of

    select_arms(request.arms)
    subjects = subjects_of(request)
    held = _held_out(request, name_teacher(request, subjects[0].state.spec.teacher)[0])
    for subject in subjects:
        lineage_of(request, subject).refuse(held.documents, held.source)
    teacher, reasoner = load_models(request, subjects)
    _check(request, held, reasoner)
    made = []
    known: list[AnswerCost] = []
    for subject in subjects:
        first = bench_of(request, subject, teacher, reasoner)
        for bench in variants(first) if variants else at_ratios(first, request):
            seen = provenance_of(request, held, bench, subject)
            costs = measure_costs(bench, held.documents, request.seed, progress, known)
            known = [row for row in costs.rows if row.arm in WHOLE_ARMS]
            made.append(_kept(request, subject, held, bench, costs, seen))
    return made


def _kept(
    request: "EvaluationRequest",
    subject: "Subject",
    held: "HeldOutSet",
    bench: "Bench",
    costs: "Costs",
    seen: "Provenance",
) -> tuple["UtilisationResult", Path | None]:
    """The figures of a checkpoint, logged and written; with the folder that they are kept in."""
    from ..evaluate.utilisation.adapted import HABIT_NOTE
    from ..models.precision import dtype_name
    from ..models.quantised import quantised_note
    from ..report.utilisation_figure import write_utilisation_figure
    from .measuring import record_look

    record, state = subject.state.known_trial, subject.state
    result = _result(subject.name, request, held, costs).model_copy(
        update={
            "ratio": bench.ratio,
            "checkpoint_sha256": subject.sha256,
            "trained_ratios": record.trained_ratios,
            "steps": state.step,
            "dtype": dtype_name(bench.reasoner),
            "notes": _notes(
                held,
                quantised_note(state.spec.teacher, state.spec.reasoner),
                record.untrained_ratio(bench.ratio),
                HABIT_NOTE,
            ),
            "provenance": seen.model_dump(mode="json"),
        }
    )
    record_look(request, subject, held, bench.ratio)
    if subject.trial is None:
        return result, None
    name = f"{held.source.sha256[:8]}-{bench.ratio:g}x-{subject.sha256[:8]}"
    folder = subject.trial.new_utilisation(name)
    write_costs(folder / COSTS, costs)
    write_utilisation_figure(result, folder)
    result.write(folder / "utilisation.json")  # last: the measurement is whole
    return result, folder


def measure_reasoner(request: "EvaluationRequest", progress: "Progress") -> "UtilisationResult":
    """What the whole document is worth to a model, before anything is trained."""
    from ..common import provenance
    from ..evaluate.utilisation.measure import measure_text_costs
    from ..models.precision import dtype_name
    from .evaluation_models import load_alone, name_alone

    named = name_alone(request)
    held = _held_out(request, named[0])
    lm = load_alone(request, *named)
    _check(request, held, lm)
    seen = provenance.collect(
        {"utilisation": request.seed},
        {"reasoner": lm.identity.weights_sha256, "corpus": held.source.sha256},
    )
    costs = measure_text_costs(lm, held.documents, request.batch_size, progress)
    update = {"dtype": dtype_name(lm), "provenance": seen.model_dump(mode="json")}
    return _result(lm.identity.name, request, held, costs).model_copy(update=update)


def write_costs(path: Path, costs: "Costs") -> None:
    """Every cost as Parquet, a row an answer and arm."""
    import pyarrow as pa

    from ..common import atomic

    atomic.write_parquet(path, pa.Table.from_pylist([asdict(row) for row in costs.rows]))


def _result(
    name: str, request: "EvaluationRequest", held: "HeldOutSet", costs: "Costs"
) -> "UtilisationResult":
    from ..evaluate.utilisation.result import UtilisationResult, figures_of

    figures = figures_of(costs.rows, costs.sizes, seed=request.seed)
    return UtilisationResult(name=name, corpus=held.source, **figures)


def _held_out(request: "EvaluationRequest", teacher: str) -> "HeldOutSet":
    from ..evaluate.held_out import held_out
    from ..models.world import generator_for

    version = generator_for(teacher, request.generator)
    return held_out(
        request.corpus,
        request.preset,
        request.documents,
        request.seed,
        version,
        continuations=True,
    )


def _check(request: "EvaluationRequest", held: "HeldOutSet", reasoner: "CausalLM") -> None:
    from ..evaluate.answer_limit import answer_limit
    from ..reasoner.context import check_context
    from ..reasoner.selftest import check_reader

    where = str(request.corpus or f"the generated documents of seed {request.seed}")
    check_context(reasoner, held.documents, answer_limit(reasoner, held.documents), where)
    check_reader(reasoner, held.documents)


def _notes(held: "HeldOutSet", *more: str) -> tuple[str, ...]:
    from ..evaluate.held_out import known_names
    from ..evaluate.table import FEW_DOCUMENTS

    count = len(held.documents)
    few = f"{count} documents: a percentile interval over fewer than about {FEW_DOCUMENTS} covers "
    notes = (
        known_names(held.source),
        f"{few}less than 95 %" if count < FEW_DOCUMENTS else "",
        *more,
    )
    return tuple(note for note in notes if note)
