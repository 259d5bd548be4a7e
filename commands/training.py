"""`latentcomp train`: bring a phase, a run folder and the models together, and train.

The stages do not know each other; this module knows them, as `cli.py` does.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import Accelerator
from torch import Tensor

from ..common import atomic, provenance
from ..common.errors import CheckpointError, StoreError
from ..compressor import checkpoint
from ..compressor.model import CompressionModel, ModelSpec
from ..corpus.chronicle.live import LiveCorpus
from ..corpus.chronicle.presets import preset
from ..corpus.files import read_corpus
from ..evaluate.history import clear_phase
from ..evaluate.order import read_verdicts, require
from ..extract.teachers.transformers_teacher import TransformersTeacher
from ..models.describe import describe_document
from ..models.layers import resolve_layers
from ..models.loading import CausalLM, TextSide, load_causal_lm
from ..reasoner.frozen import FrozenReasoner
from ..reasoner.packing import encode_questions
from ..store.format.schema import LayerRecord, ModelIdentity
from ..store.read.reader import FeatureStore
from ..store.read.resident import load_resident
from ..train.assemble import check_available, check_tokenizers, model_spec
from ..train.batches import Batches, Example
from ..train.data import StoreBatches
from ..train.device_transfer import DeviceTransfer
from ..train.live import LiveBatches, LiveSettings
from ..train.loop import Progress, Run, train
from ..train.phases import PhaseSpec, phase
from ..train.plan import TrainPlan
from ..train.prefetcher import Prefetched
from ..train.resident import add_resident
from ..train.workers import Workers, workers_for

RECORD: Final = "run.json"
SHIPPED: Final = Path(__file__).resolve().parents[1] / "lab" / "shipped"
REASONERS: Final = {"teacher": "lab", "student": "lab-student"}
"""Models of the lab for each kind of reasoner, where none is named."""
LIVE_LENGTHS: Final = (448, 640)
"""Padded lengths of lab documents: each is compiled once."""
LIVE_QUESTIONS: Final = 2
LIVE_WORKERS: Final = 15
LIVE_SEED: Final = 10_000
"""Far from the seeds that people give, so that live documents are not those of a store."""


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What the user asked for."""

    run: Path
    phase: int
    plan: TrainPlan
    reasoner: str | None = None
    """Model name or path; that of the phase's kind when None."""
    start: str = "fresh"
    """`fresh`, `shipped`, `auto` (shipped where it fits) or the path of a checkpoint."""
    device: str = "auto"
    skip_order: bool = False
    """Whether the binding order may be left; recorded in everything that follows."""
    live: bool = False
    """Whether documents are made and read on the fly instead of from the store."""
    resident: bool = False
    """Whether the states of the store are kept on the device, where they must fit."""
    workers: int | None = None
    """Processes that make batches from the store, 0 for a thread; None: as fits the machine."""
    restart: bool = False
    """Whether an earlier run of this phase is thrown away."""
    overrides: tuple[tuple[str, Any], ...] = ()
    """Fields of the phase to be replaced, for ablations; recorded."""


def train_phase(request: TrainRequest, on_step: Progress = lambda figures: None) -> Path:
    """Train a phase, or go on with it.

    Returns:
        The folder of the phase.

    Raises:
        PhaseError: unknown phase, a part is missing, or its turn has not come.
        StoreError, CheckpointError, TeacherError: what it needs is missing or damaged.
    """
    run = assemble(request)
    # Only now, when nothing is missing: the new run may even start from what goes.
    run.accelerator.wait_for_everyone()
    if run.accelerator.is_main_process and request.restart:
        clear_phase(run.folder)
    run.accelerator.wait_for_everyone()
    train(run, on_step, lambda step: _write_record(run, step))
    return run.folder


def assemble(request: TrainRequest) -> Run:
    """Everything that training this phase needs; nothing is written yet.

    Raises:
        PhaseError, StoreError, CheckpointError, TeacherError: as `train_phase`.
    """
    if request.live and request.resident:
        raise StoreError("--live and --resident exclude each other: live documents have no store")
    spec = phase(request.phase).model_copy(update=dict(request.overrides))
    skipped = require(spec.number, read_verdicts(request.run), skip=request.skip_order)
    check_available(spec)
    accelerator = Accelerator(
        cpu=request.device == "cpu",
        mixed_precision="bf16" if _cuda(request.device) else "no",
    )
    folder = request.run / "phases" / str(spec.number)
    return _gather(request, spec, accelerator, folder, skipped)


def _cuda(device: str) -> bool:
    return device != "cpu" and torch.cuda.is_available()


def _gather(
    request: TrainRequest,
    spec: PhaseSpec,
    accelerator: Accelerator,
    folder: Path,
    skipped: tuple[int, ...],
) -> Run:
    name = request.reasoner or REASONERS[spec.reasoner]
    lm = load_causal_lm(name, device=str(accelerator.device))
    reasoner = FrozenReasoner(lm, compile_blocks=_cuda(request.device))
    store = None if request.live else FeatureStore(request.run / "store")
    reader = lm if store is not None else _live_teacher(spec, lm)
    teacher = reader.identity if store is None else store.manifest.teacher
    layers = resolve_layers(spec.layers, teacher.blocks)
    shape = model_spec(spec, teacher, tuple(layers), reasoner)
    _check_control(spec, teacher, lm)
    if store is not None:
        _check_layers(spec, layers, store)
    check_tokenizers(spec, teacher, lm.identity)
    torch.manual_seed(request.plan.seed)
    model, start = _start(request, spec, shape)
    batches: Batches = (
        _live(request, reader, lm, layers, accelerator, folder)
        if store is None
        else _stored(request, store, lm, layers, accelerator)
    )
    record = {
        "phase": spec.model_dump(mode="json"),
        "plan": request.plan.model_dump(mode="json"),
        "data": dict(batches.describe()),
        "start": start,
        # What the ancestor skipped was never shown to hold.
        "skipped": sorted({*skipped, *start.get("history", {}).get("skipped", ())}),
    }
    return Run(spec, request.plan, model, reasoner, batches, folder, accelerator, record)


def _live_teacher(spec: PhaseSpec, reasoner: CausalLM) -> CausalLM:
    """Who reads the documents when there is no store."""
    if REASONERS[spec.reasoner] == REASONERS["teacher"]:
        return reasoner
    return load_causal_lm(REASONERS["teacher"], device=str(reasoner.device))


def _check_control(spec: PhaseSpec, teacher: ModelIdentity, lm: CausalLM) -> None:
    if spec.reasoner == "teacher" and teacher.weights_sha256 != lm.identity.weights_sha256:
        raise StoreError(
            f"phase {spec.number} is a control: its reasoner must be the teacher, but the store "
            f"is of {teacher.name!r} (weights {teacher.weights_sha256[:12]}...) and the reasoner "
            f"is {lm.identity.name!r} ({lm.identity.weights_sha256[:12]}...); "
            "give --reasoner or extract with this teacher"
        )


def _check_layers(spec: PhaseSpec, layers: tuple[LayerRecord, ...], store: FeatureStore) -> None:
    for layer in layers:
        if layer.blocks_completed not in store.layers:
            raise StoreError(
                f"{store.path}: no layer after {layer.blocks_completed} blocks in this store: it "
                f"has {', '.join(map(str, store.layers))}; extract with --layers "
                f"{','.join(map(str, spec.layers))} into another --run"
            )


def _start(
    request: TrainRequest, spec: PhaseSpec, shape: ModelSpec
) -> tuple[CompressionModel, dict[str, Any]]:
    """A model to begin with, and where it came from."""
    shipped = SHIPPED / f"phase-{spec.number}"
    if request.start == "fresh" or (request.start == "auto" and not checkpoint.exists(shipped)):
        return shape.build(), {"from": "fresh", "seed": request.plan.seed}
    path = shipped if request.start in ("auto", "shipped") else Path(request.start)
    found = checkpoint.open_checkpoint(path)
    # The shape alone must agree: a renamed model is the same model.
    if _tensors(found.state.spec) != _tensors(shape):
        if request.start == "auto":
            return shape.build(), {"from": "fresh", "seed": request.plan.seed}
        raise CheckpointError(
            f"{path} was trained for {found.state.spec.teacher.name!r} and phase "
            f"{found.state.run['phase']['number']}; it does not fit phase {spec.number} of "
            f"{shape.teacher.name!r}; give --start fresh"
        )
    return found.model(), {
        "from": "shipped" if path == shipped else "checkpoint",
        "steps": found.state.step,
        "sha256": found.state.sha256[checkpoint.MODEL],
        "history": found.state.run,
    }


def _tensors(spec: ModelSpec) -> dict[str, Any]:
    # The RMS differs in its last bits from one kind of device to another, and once trained it is
    # a tensor of the checkpoint like any other.
    named = {"teacher": {"name"}, "reasoner": {"name"}}
    return spec.model_dump(mode="json", exclude={**named, "embedding_rms": True})


def _stored(
    request: TrainRequest,
    store: FeatureStore,
    lm: CausalLM,
    layers: tuple[LayerRecord, ...],
    accelerator: Accelerator,
) -> Batches:
    corpus = read_corpus(request.run / "corpus")
    if corpus.sha256 != store.manifest.corpus_sha256:
        raise StoreError(
            f"{request.run}: the store was made from another corpus ({corpus.sha256[:12]}... in "
            f"corpus/, {store.manifest.corpus_sha256[:12]}... in store/); extract again"
        )
    wanted = [layer.blocks_completed for layer in layers]
    resident = load_resident(store, wanted, accelerator.device) if request.resident else None
    transfer = DeviceTransfer(accelerator.device)
    batches = StoreBatches(
        store,
        corpus.documents,
        lm,
        () if request.resident else wanted,
        batch_size=request.plan.documents,
        question_tokens=request.plan.question_positions,
        seed=request.plan.seed,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        split=corpus.meta.get("split"),
    )
    workers = request.workers
    if workers is None:
        workers = workers_for(accelerator.device, batches.batch_bytes)
    source: Batches = Workers(batches, workers) if workers else batches
    if resident is not None:
        return Prefetched(source, transfer, add_resident(resident, batches))
    return Prefetched(source, transfer)


@dataclass(frozen=True, slots=True)
class _LiveExamples:
    """Documents without states for the worker processes, which pickle it."""

    corpus: LiveCorpus
    reader: TextSide
    reasoner: TextSide

    def __call__(self, first: int, count: int) -> list[Example]:
        documents = (self.corpus.document(index) for index in range(first, first + count))
        return [
            Example(
                describe_document(self.reader, document),
                encode_questions(self.reasoner, document.questions),
            )
            for document in documents
        ]


def _live(
    request: TrainRequest,
    reader: CausalLM,
    lm: CausalLM,
    layers: tuple[LayerRecord, ...],
    accelerator: Accelerator,
    folder: Path,
) -> Batches:
    sides = (
        TextSide(one.tokenizer, one.identity, one.prompt, one.context_tokens)
        for one in (reader, lm)
    )
    seed = LIVE_SEED + request.plan.seed
    corpus = LiveCorpus(preset("lab"), "train", seed, LIVE_QUESTIONS)
    teacher = TransformersTeacher(reader)

    def read_states(token_ids_BT: Tensor) -> Tensor:
        with accelerator.autocast():
            return teacher.read_padded(token_ids_BT.to(lm.device), layers).to(torch.bfloat16)

    root = folder / "checkpoint"
    resumed = checkpoint.exists(root) and not request.restart
    first = checkpoint.open_checkpoint(root).state.step if resumed else 0
    settings = LiveSettings(
        batch_size=request.plan.documents,
        question_tokens=request.plan.question_positions,
        seed=request.plan.seed,
        lengths=LIVE_LENGTHS,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        workers=LIVE_WORKERS if accelerator.device.type == "cuda" else 0,
    )
    return LiveBatches(_LiveExamples(corpus, *sides), read_states, settings, first)


def _write_record(run: Run, step: int) -> None:
    """Record what this session runs, beside the sessions before it."""
    if not run.accelerator.is_main_process:
        return
    file = run.folder / RECORD
    seen = provenance.collect({"train": run.plan.seed}, {}).model_dump(mode="json")
    earlier = json.loads(file.read_text())["sessions"] if step and file.is_file() else []
    sessions = [*earlier, {"first_step": step + 1, "provenance": seen}]
    atomic.write_json(file, {**run.record, "provenance": seen, "sessions": sessions})


def ship_checkpoint(run: Path, number: int) -> Path:
    """Put the checkpoint of a run into the package, for those who have no GPU.

    Raises:
        CheckpointError: the run has none, or it is damaged.
    """
    source = run / "phases" / str(phase(number).number) / "checkpoint"
    return checkpoint.publish(source, SHIPPED / f"phase-{number}")
