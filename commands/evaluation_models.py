"""The models of an evaluation: by name, or as the checkpoints that are measured remember them."""

from collections.abc import Sequence

from ..common.errors import CheckpointError
from ..experiment.known_models import find_model
from ..experiment.run_folder import RunFolder
from ..experiment.suggest import teacher_of_run
from ..models.loading import CausalLM, load_causal_lm, resolve_device
from ..models.names import shown_name
from ..models.precision import AUTO, resolved_dtype, usual_dtype
from ..store.format.schema import ModelIdentity
from .subjects import EvaluationRequest, Subject
from .trial_request import MODELS


def load_models(
    request: EvaluationRequest, subjects: Sequence[Subject]
) -> tuple[CausalLM, CausalLM]:
    """Teacher and reasoner of some checkpoints, each the one that they were trained with.

    Raises:
        CheckpointError: a checkpoint was trained with another one.
        TeacherError: one cannot be found, read or placed.
    """
    name, revision = name_teacher(request, subjects[0].state.spec.teacher)
    device = resolve_device(request.device).type
    dtype = _dtype(request, subjects[0], name, device)
    teacher = load_causal_lm(name, revision=revision, device=request.device, dtype=dtype)
    reasoner = _reasoner(request, subjects[0], teacher, name, dtype)
    for subject in subjects:
        check_same("teacher", subject.state.spec.teacher, teacher)
        check_same("reasoner", subject.state.spec.reasoner, reasoner)
    return teacher, reasoner


def name_teacher(request: EvaluationRequest, recorded: ModelIdentity) -> tuple[str, str | None]:
    """Name and hub revision of the teacher: as given, else the recorded one.

    Raises:
        TeacherError: where the recorded one lies is not known here.
    """
    if request.teacher is not None:
        return request.teacher, None
    return find_model(RunFolder(request.run), recorded, "teacher")


def name_alone(request: EvaluationRequest) -> tuple[str, str | None]:
    """The same for a model without a compressor: as given, else the teacher of the run, or lab."""
    recorded = teacher_of_run(RunFolder(request.run))
    if request.teacher is None and recorded is None:
        return MODELS["teacher"], None
    return name_teacher(request, recorded) if recorded else (request.teacher or "", None)


def load_alone(request: EvaluationRequest, name: str, revision: str | None) -> CausalLM:
    """The model of an evaluation without a compressor.

    Raises:
        TeacherError: it cannot be found, read or placed.
    """
    dtype = resolved_dtype(request.dtype, name, resolve_device(request.device).type)
    return load_causal_lm(name, revision=revision, device=request.device, dtype=dtype)


def _reasoner(
    request: EvaluationRequest, subject: Subject, teacher: CausalLM, named: str, dtype: str
) -> CausalLM:
    """Who answers: as named, else who did in training."""
    spec, run = subject.state.spec, RunFolder(request.run)
    name, revision = request.reasoner, None
    if name is None:
        if spec.reasoner.weights_sha256 == spec.teacher.weights_sha256:
            return teacher
        name, revision = find_model(run, spec.reasoner, "reasoner")
    if name == named:
        return teacher
    return load_causal_lm(name, revision=revision, device=request.device, dtype=dtype)


def _dtype(request: EvaluationRequest, subject: Subject, name: str, device: str) -> str:
    """Precision: that of the training, but that a CPU computes in float32 unless told otherwise."""
    if request.dtype != AUTO:
        return request.dtype
    usual = usual_dtype(name, device)
    return usual if device == "cpu" else subject.state.known_trial.dtype


def check_same(role: str, expected: ModelIdentity, lm: CausalLM) -> None:
    """Refuse another model than the one that a checkpoint was trained with.

    Raises:
        CheckpointError: names both.
    """
    if expected.weights_sha256 != lm.identity.weights_sha256:
        raise CheckpointError(
            f"the checkpoint was trained with {role} {shown_name(expected)!r} (weights "
            f"{expected.weights_sha256[:12]}...), not with {lm.identity.name!r} "
            f"({lm.identity.weights_sha256[:12]}...); give the right --{role}"
        )
