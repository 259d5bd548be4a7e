"""Training one trial: bring a recipe, a run folder and the models together.

The stages do not import each other; this module imports them.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import torch
from accelerate import Accelerator

from ..common import atomic, provenance
from ..common.errors import PhaseError, UsageError
from ..compressor.model import ModelSpec
from ..experiment.catalogue import phase_of
from ..experiment.looks import run_identity
from ..experiment.order import require, standing_verdicts, tell_order
from ..experiment.phases import phase
from ..experiment.run_folder import RunFolder, TrialFolder
from ..experiment.shipped import SHIPPED as SHIPPED
from ..experiment.suggest import ablations_command
from ..models.files import identify_model, locate_model
from ..models.loading import load_causal_lm
from ..models.precision import computes_again
from ..models.world import generator_for
from ..reasoner.frozen import FrozenReasoner
from ..store.read.reader import FeatureStore
from ..train.batches import Batches
from ..train.day_start import DAYS, begin_days
from ..train.loop import Progress, train
from ..train.objectives import check_objectives
from ..train.record import Start, TrialRecord
from ..train.run import Run
from .batches import live_batches, store_batches
from .early_store import check_source
from .fitting import check_models, check_reasoner
from .stored_layers import layers_of
from .targets import targets_of
from .trial_models import (
    dtype_of,
    earlier_session,
    live_teacher,
    reader_name,
    reasoner_name,
    remember,
)
from .trial_request import MODELS as MODELS
from .trial_request import TrialRequest as TrialRequest
from .trial_start import begun

OnBegin = Callable[[Run, int], None]
"""Called with what is trained, and the steps that were done before."""


def train_trial(
    request: TrialRequest,
    on_step: Progress = lambda figures: None,
    on_begin: OnBegin = lambda run, step: None,
) -> TrialFolder:
    """Train a trial, or go on with it.

    Args:
        request: what, from what, and where.
        on_step: called with the figures of every step.
        on_begin: called with what is trained and the number of steps done before, ahead of the
            first step; not called where there is nothing left to do.

    Raises:
        RecipeError, PhaseError: the recipe cannot be built, or its turn has not come.
        StoreError, CheckpointError, TeacherError: what it needs is missing or damaged.
        TrainingError: the gradient was not finite several steps in a row.
    """
    folder = RunFolder(request.run).trial(request.trained.name, request.seed)
    run = build(request)
    # Only now, when nothing is missing: the new trial may even start from what goes.
    run.accelerator.wait_for_everyone()
    if run.accelerator.is_main_process and request.restart:
        folder.put_aside()
        folder = RunFolder(request.run).trial(request.trained.name, request.seed)
    run.accelerator.wait_for_everyone()
    run.folder = folder.path

    def begin(step: int) -> None:
        if run.accelerator.is_main_process:
            run_identity(RunFolder(request.run))  # a copy that is looked at has its name
        remember(request, run)
        _write_record(folder, run, step)
        on_begin(run, step)

    train(run, on_step, begin)
    return folder


def build(request: TrialRequest) -> Run:
    """Everything that training this trial needs; nothing is written yet.

    Raises:
        RecipeError, PhaseError, StoreError, CheckpointError, TeacherError: as `train_trial`.
    """
    recipe, run = request.trained, RunFolder(request.run)
    check_objectives(recipe)
    _check_source(request)
    store = FeatureStore(run.store) if recipe.data.source == "store" else None
    skipped = _turn(request, run, store)
    cuda = request.device != "cpu" and torch.cuda.is_available()
    accelerator = Accelerator(cpu=request.device == "cpu", mixed_precision="bf16" if cuda else "no")
    device = str(accelerator.device)
    named = reasoner_name(request, run, store)
    dtype = dtype_of(request, run, named, device)
    lm = load_causal_lm(named, device=device, dtype=dtype)
    reader = lm if store is not None else live_teacher(request, lm, named, dtype)
    teacher = reader.identity if store is None else store.manifest.teacher
    manifest = None if store is None else store.manifest
    layers = layers_of(recipe, teacher.blocks, manifest)
    check_models(recipe, teacher, lm.identity, layers, store)
    check_reasoner(recipe, lm)
    targets = targets_of(request.targets, recipe, lm, store)
    again = request.compute_again
    if again is None:
        again = computes_again(lm.model.num_parameters())
    reasoner = FrozenReasoner(lm, compile_blocks=cuda, compute_again=again)
    spec = ModelSpec.between(recipe.model, teacher, layers, lm.identity, reasoner.embedding_rms())
    torch.manual_seed(request.seed)
    model, start = begun(request, spec)
    if start.origin == "fresh" or DAYS in start.fresh:
        begin_days(model, reasoner)
    batches: Batches = (
        store_batches(run, store, lm, layers, accelerator, recipe, request.seed, request.batches)
        if store is not None
        else live_batches(
            reader,
            lm,
            layers,
            accelerator,
            recipe,
            request.seed,
            _step_of(request, run),
            generator_for(reader_name(request)),
        )
    )
    record = TrialRecord(
        recipe=recipe,
        seed=request.seed,
        overrides=request.changes,
        data={**batches.describe(), **({"targets": targets.describe()} if targets else {})},
        start=start,
        # What the ancestor skipped, or an earlier session, was not shown to hold then.
        skipped=tuple(sorted({*skipped, *_skipped_before(request, run, start)})),
        dtype=dtype,
    )
    folder = run.trial(recipe.name, request.seed).path
    return Run(record, model, reasoner, batches, folder, accelerator, request.save_every, targets)


def _check_source(request: TrialRequest) -> None:
    """Refuse options of a store for live documents, and the other way round. Raises: UsageError."""
    check_source(
        request.trained,
        request.run,
        teacher=request.teacher,
        resident=request.batches.resident,
        workers=request.batches.workers,
    )


def _turn(request: TrialRequest, run: RunFolder, store: FeatureStore | None) -> tuple[int, ...]:
    """The phases that are skipped by training now; refuses where it is not this recipe's turn."""
    number = phase_of(request.recipe.name)
    if lacks := phase(number).lacks:
        raise PhaseError(f"phase {number} ({phase(number).title}) cannot run yet: it needs {lacks}")
    if phase(number).grid and request.recipe.name == phase(number).recipe.name:
        raise UsageError(f"phase {number} is a grid of recipes; run `{ablations_command(run)}`")
    teacher = (
        store.manifest.teacher.weights_sha256
        if store is not None
        else identify_model(locate_model(reader_name(request))).weights_sha256
    )
    verdicts = standing_verdicts(run, teacher)
    skipped = require(number, verdicts, run=run, skip=request.skip_order)
    if not request.skip_order:  # who does not wait for a verdict need not hear whose it is
        tell_order(number, verdicts, run)
    return skipped


def _step_of(request: TrialRequest, run: RunFolder) -> int:
    """Steps that an earlier session of this trial did; 0 if it begins."""
    earlier = earlier_session(request, run)
    return earlier.step if earlier else 0


def _skipped_before(request: TrialRequest, run: RunFolder, start: Start) -> tuple[int, ...]:
    """Phases that were passed over on the way to the weights that this session begins with."""
    earlier = earlier_session(request, run)
    own = earlier.trial.skipped if earlier and earlier.trial else ()
    return (*own, *(start.history.skipped if start.history else ()))


def _write_record(folder: TrialFolder, run: Run, step: int) -> None:
    """Record what this session runs, beside the sessions before it."""
    if not run.accelerator.is_main_process:
        return
    file = folder.record
    seen = provenance.collect({"train": run.record.seed}, {}).model_dump(mode="json")
    earlier = json.loads(file.read_text())["sessions"] if step and file.is_file() else []
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    sessions = [*earlier, {"first_step": step + 1, "begun": begun, "provenance": seen}]
    record = run.record.model_dump(mode="json")
    atomic.write_json(file, {**record, "provenance": seen, "sessions": sessions})
