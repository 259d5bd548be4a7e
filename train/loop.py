"""The training loop. It knows steps, losses and checkpoints; what a phase is, it is told.

One step: a batch of states -> latents -> vectors in the reasoner's input space -> the frozen
reasoner answers -> objectives -> gradients for the compressor alone.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..common import atomic
from ..common.errors import CheckpointError
from ..common.threads import short_switch_interval
from ..compressor import checkpoint
from ..compressor.model import Compressed, CompressionModel, compress
from ..reasoner.frozen import FrozenReasoner, ReaderOutput
from .batches import Batch, Batches
from .clock import clock_of
from .log import CurveLog
from .objectives import NEEDS_STATES, OBJECTIVES, Step, alignment_depths
from .phases.spec import PhaseSpec
from .plan import TrainPlan

Progress = Callable[[dict[str, float]], None]
"""Told the figures of every step."""


@dataclass(slots=True)
class Run:
    """Everything one training run needs, gathered before it starts."""

    phase: PhaseSpec
    plan: TrainPlan
    model: CompressionModel
    reasoner: FrozenReasoner
    batches: Batches
    folder: Path
    accelerator: Accelerator
    record: dict[str, Any] = field(default_factory=dict)
    """Kept in every checkpoint: phase, plan, source, history."""


@short_switch_interval()
def train(
    run: Run,
    on_step: Progress = lambda figures: None,
    on_begin: Callable[[int], None] = lambda step: None,
) -> None:
    """Train to the end of the plan, going on from the last checkpoint of this run if any.

    Args:
        run: what is trained, and how.
        on_step: told the figures of every step.
        on_begin: told the number of steps done, before the first one of this session; not called
            if there is nothing left to do.

    Raises:
        CheckpointError: the checkpoint there belongs to another run.
        LatentcompError: the disk is full; the last checkpoint stays.
    """
    run.model.to(run.accelerator.device)
    optimizer = _optimizer(run)
    step, spent = _resume(run, optimizer)
    clock = clock_of(run.plan, run.accelerator, spent)
    if clock.progress(step) >= 1:
        run.batches.close()
        return
    on_begin(step)
    forward = run.accelerator.prepare(run.model)
    log = CurveLog(run.folder, step) if run.accelerator.is_main_process else None
    started = time.monotonic() - (log.seconds if log is not None else spent)
    try:
        while (progress := clock.progress(step)) < 1:
            _set_rate(optimizer, run.plan.rate_at(step, progress))
            waited = time.monotonic()
            batch = run.batches.at(step).to(run.accelerator.device)
            waited = time.monotonic() - waited
            figures = _step(run, forward, optimizer, batch, step)
            step += 1
            figures |= {"waited": waited, "seconds": time.monotonic() - started}
            if log is not None:
                log.write(figures)
            on_step(figures)
            if step % run.plan.save_every == 0 and clock.progress(step) < 1:
                _save(run, optimizer, step, figures["seconds"], finished=False)
        _save(run, optimizer, step, time.monotonic() - started, finished=True)
    finally:
        run.batches.close()
        if log is not None:
            log.close()


def _step(
    run: Run, forward: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch, step: int
) -> dict[str, float]:
    ratio = Random(f"ratio/{run.plan.seed}/{step}").choice(run.phase.ratios)
    with run.accelerator.autocast():
        compressed = compress(forward, batch.states, ratio)
        reading = _read(run, compressed, batch)
        losses = _losses(run, batch, reading)
    total = torch.stack([o.weight * losses[o.name] for o in run.phase.objectives]).sum()
    run.accelerator.backward(total)
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), run.plan.clip)
    if not math.isfinite(float(norm)):
        optimizer.zero_grad(set_to_none=True)  # one bad batch must not poison the optimiser
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    seen = len(batch.token_ids_BT) * run.accelerator.num_processes
    return {
        "step": step + 1,
        "loss": float(total.detach()),
        **{name: float(value.detach()) for name, value in losses.items()},
        "token_accuracy": float(_token_accuracy(reading)),
        "gradient": float(norm),
        "rate": float(optimizer.param_groups[0]["lr"]),
        "ratio": ratio,
        "documents": (step + 1) * seen,
    }


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _read(run: Run, compressed: Compressed, batch: Batch) -> ReaderOutput:
    context = run.reasoner.latent_context(compressed)
    wanted = any(objective.name in NEEDS_STATES for objective in run.phase.objectives)
    keep = alignment_depths(len(run.reasoner.blocks)) if wanted else ()
    return run.reasoner.read(context, batch.questions, keep)


def _losses(run: Run, batch: Batch, reading: ReaderOutput) -> dict[str, Tensor]:
    step = Step(run.reasoner, batch, reading)
    return {o.name: OBJECTIVES[o.name](step) for o in run.phase.objectives}


def _token_accuracy(reading: ReaderOutput) -> Tensor:
    """Share of answer tokens that are likeliest given the right ones before: a diagnostic."""
    return (reading.logits_NV.argmax(-1) == reading.targets_N).float().mean()


def _optimizer(run: Run) -> torch.optim.Optimizer:
    matrices = [w for w in run.model.parameters() if w.ndim >= 2]
    others = [w for w in run.model.parameters() if w.ndim < 2]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": run.plan.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=run.plan.rate,
        betas=(0.9, 0.95),
        fused=run.accelerator.device.type == "cuda",
    )


def _resume(run: Run, optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    """Go on where the last checkpoint of this run stopped; steps done and seconds spent."""
    root = run.folder / "checkpoint"
    if run.accelerator.is_main_process:
        atomic.remove_partials(run.folder)
    if not checkpoint.exists(root):
        return 0, 0.0
    found = checkpoint.open_checkpoint(root)
    _check_same(found.state, run)
    found.restore(run.model, optimizer)
    if run.accelerator.is_main_process:
        checkpoint.drop_others(found.folder)
    return found.state.step, found.state.seconds


def _check_same(state: checkpoint.CheckpointState, run: Run) -> None:
    theirs = {"model": state.spec.model_dump(mode="json"), **state.run}
    ours = {"model": run.model.spec.model_dump(mode="json"), **run.record}
    for key in (key for key in ours if key not in _MAY_DIFFER):
        if found := _difference(key, theirs.get(key), ours[key]):
            raise CheckpointError(
                f"{run.folder / 'checkpoint'} belongs to another run: {found}; "
                "give another --run, or --restart to begin again"
            )


_MAY_DIFFER: Final = {"skipped"}
"""Of the record: a verdict that came since does not make it another run."""


def _difference(name: str, theirs: object, ours: object) -> str | None:
    """The first field that differs, with both values; None where all agree."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        fields = (_difference(f"{name}.{k}", theirs.get(k), v) for k, v in ours.items())
        return next((found for found in fields if found), None) or _gone(name, theirs, ours)
    return None if theirs == ours else f"{name} was {_short(theirs)}, now {_short(ours)}"


def _gone(name: str, theirs: dict[str, object], ours: dict[str, object]) -> str | None:
    gone = sorted(theirs.keys() - ours.keys())
    return f"{name}.{gone[0]} was {_short(theirs[gone[0]])}, now nothing" if gone else None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _save(
    run: Run, optimizer: torch.optim.Optimizer, step: int, seconds: float, *, finished: bool
) -> None:
    if run.accelerator.is_main_process:
        checkpoint.save_checkpoint(
            run.folder / "checkpoint",
            step,
            run.model,
            optimizer,
            run.record,
            seconds=0.0 if run.plan.seconds is None else seconds,
            finished=finished,
        )
    run.accelerator.wait_for_everyone()
