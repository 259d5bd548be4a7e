"""A diagnosis: checkpoint, documents and models brought together, and every figure taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..common import provenance
from ..common.errors import LatentcompError, TeacherError
from ..corpus.records import Document
from ..evaluate.answer_limit import answer_limit
from ..evaluate.bench import Bench
from ..evaluate.diagnosis.injected import Depth, by_depth
from ..evaluate.diagnosis.layers import LayerReport, Progress, leave_one_out
from ..evaluate.diagnosis.localization import Localization, localize
from ..evaluate.diagnosis.people import Encode
from ..evaluate.diagnosis.probes import Probe, probe, require_sklearn
from ..evaluate.diagnosis.result import Diagnosis
from ..evaluate.diagnosis.segment_rows import segment_rows
from ..evaluate.held_out import explored
from ..evaluate.suite import PLANNED
from ..extract.read_documents import read_documents
from ..models.world import generator_for
from ..reasoner.context import check_context
from ..reasoner.selftest import check_reader
from .diagnose_options import DiagnoseOptions
from .evaluation_models import load_models, name_teacher
from .subjects import EvaluationRequest, Subject, subjects_of


def diagnose_checkpoint(
    options: DiagnoseOptions, progress: Progress = lambda arm, documents: None
) -> tuple[Diagnosis, Path]:
    """Every diagnostic of one checkpoint, and the file that they were written to.

    Raises:
        CheckpointError, TeacherError, CorpusError: what it needs is missing, damaged or does not
            belong together.
        LatentcompError: probes alone are asked for, and scikit-learn is not installed.
    """
    if options.probes_only:
        require_sklearn()
    request = _request(options)
    subject = subjects_of(request)[0]
    held = explored(
        options.corpus,
        options.preset,
        options.split,
        options.documents,
        options.seed,
        generator_for(name_teacher(request, subject.state.spec.teacher)[0], request.generator),
        options.questions,
    )
    teacher, reasoner = load_models(request, [subject])
    limit, where = answer_limit(reasoner, held.documents), str(options.corpus or "the documents")
    check_context(reasoner, held.documents, limit, where)
    check_reader(reasoner, held.documents)
    spec = subject.state.spec
    inputs = {
        "checkpoint": subject.sha256,
        "teacher": teacher.identity.weights_sha256,
        "reasoner": reasoner.identity.weights_sha256,
        "corpus": held.source.sha256,
    }
    seen = provenance.collect({"documents": options.seed}, inputs)
    read = partial(read_documents, teacher, layers=spec.layers, batch_size=options.batch_size)
    ratio = options.ratio or subject.state.known_trial.recipe.ratios[0]
    bench = Bench(subject.weights.model(), read, reasoner, ratio, options.batch_size)
    insides = (
        Insides() if options.probes_only else _insides(bench, held.documents, options, progress)
    )
    probes, unprobed = _probes(bench, held.documents, teacher.encode, options.seed)
    result = Diagnosis(
        checkpoint=subject.name,
        checkpoint_sha256=subject.sha256,
        documents=len(held.documents),
        seed=options.seed,
        ratio=ratio,
        corpus=held.source,
        depths=insides.depths,
        layers=insides.layers,
        localization=insides.localization,
        probes=probes,
        notes=(*insides.notes, *unprobed),
        provenance=seen.model_dump(mode="json"),
    )
    file = options.json or _beside(options, subject, ratio)
    result.write(file)
    return result, file


def _request(options: DiagnoseOptions) -> EvaluationRequest:
    """Which checkpoint is meant, in the words of an evaluation."""
    return EvaluationRequest(
        run=options.run,
        recipe=options.named(),
        training_seeds=() if options.training_seed is None else (options.training_seed,),
        generator=options.generator,
        checkpoint=options.checkpoint,
        teacher=options.teacher,
        reasoner=options.reasoner,
        device=options.device,
        dtype=options.dtype,
    )


def _probes(
    bench: Bench, documents: Sequence[Document], encode: Encode, seed: int
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """What linear maps read off, or one line where the package for them is not there."""
    try:
        require_sklearn()
        return probe(segment_rows(bench, documents, encode), seed), ()
    except LatentcompError as error:
        return (), (str(error),)


@dataclass(frozen=True, slots=True)
class Insides:
    """What is measured inside of the reasoner, or nothing of it."""

    depths: tuple[Depth, ...] = ()
    layers: LayerReport | None = None
    localization: Localization | None = None
    notes: tuple[str, ...] = ()
    """What could not be measured, a line each."""


def _insides(
    bench: Bench, documents: Sequence[Document], options: DiagnoseOptions, progress: Progress
) -> Insides:
    """Layers, depths and attention; a line where the attention cannot be looked into."""
    arms = 1 + len(bench.model.spec.layers) + 1  # all layers, without each, attention
    progress(PLANNED, arms * len(documents))
    layers = leave_one_out(bench, documents, options.seed, progress)
    depths = by_depth(bench, documents)
    try:
        looking = localize(bench, documents, options.seed, progress)
    except TeacherError as error:
        return Insides(depths, layers, None, (str(error).partition(";")[0],))
    return Insides(depths, layers, looking)


def _beside(options: DiagnoseOptions, subject: Subject, ratio: float) -> Path:
    """A file in the folder of the trial, or in the run folder for a checkpoint that was given."""
    folder = subject.trial.path if subject.trial is not None else options.run
    name, number = f"diagnosis-{ratio:g}x-{subject.sha256[:8]}", 1
    path = folder / f"{name}.json"
    while path.exists():  # none is overwritten: others may be of other documents
        number += 1
        path = folder / f"{name}-{number}.json"
    return path
