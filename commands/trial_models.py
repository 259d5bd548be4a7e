"""The models of a trial: by which names they are found, and in which precision they are loaded."""

from ..experiment.known_models import known_model, remember_model
from ..experiment.run_folder import RunFolder
from ..models.loading import CausalLM, load_causal_lm
from ..models.precision import AUTO, resolved_dtype
from ..store.read.reader import FeatureStore
from ..train import checkpoint
from ..train.run import Run
from .trial_request import MODELS, TrialRequest


def live_teacher(request: TrialRequest, reasoner: CausalLM, named: str, dtype: str) -> CausalLM:
    """Who reads the documents when there is no store."""
    name = reader_name(request)
    if name == named:
        return reasoner
    return load_causal_lm(name, device=str(reasoner.device), dtype=dtype)


def reasoner_name(request: TrialRequest, run: RunFolder, store: FeatureStore | None) -> str:
    """Who answers: as named, else of a control the teacher, of a transfer the lab's student."""
    control = request.trained.reasoner == "teacher"
    if request.reasoner is not None or not control:
        return request.reasoner or MODELS[request.trained.reasoner]
    if store is None:
        return reader_name(request)
    named = known_model(run, store.manifest.teacher)
    # Where nothing is known of it, the lab teacher is compared with it, and refused in a line.
    return MODELS["teacher"] if named is None else named


def dtype_of(request: TrialRequest, run: RunFolder, name: str, device: str) -> str:
    """Precision of this session: an earlier one of the trial decides, where nothing was said."""
    earlier = earlier_session(request, run)
    if request.dtype == AUTO and earlier is not None and earlier.trial is not None:
        return earlier.trial.dtype
    return resolved_dtype(request.dtype, name, device)


def remember(request: TrialRequest, run: Run) -> None:
    """Note in the run by which names its models were given, for the commands that follow."""
    if not run.accelerator.is_main_process:
        return
    folder, spec = RunFolder(request.run), run.model.spec
    if request.reasoner is not None:
        remember_model(folder, spec.reasoner, request.reasoner)
    if run.recipe.data.source == "live":
        remember_model(folder, spec.teacher, reader_name(request))


def reader_name(request: TrialRequest) -> str:
    """Name of the model that reads live documents: of a control, the reasoner itself."""
    control = request.trained.reasoner == "teacher"
    return request.teacher or (request.reasoner if control else None) or MODELS["teacher"]


def earlier_session(request: TrialRequest, run: RunFolder) -> checkpoint.CheckpointState | None:
    """The checkpoint of this trial that the training will go on from; None if it begins."""
    root = run.trial(request.trained.name, request.seed).checkpoint
    resumed = checkpoint.exists(root) and not request.restart
    return checkpoint.read_state(root) if resumed else None
