"""The training loop. It runs a recipe and knows steps, losses and checkpoints, but no phase.

A batch on its way: store -> `store_batches` (documents of the step) -> `batches.collate` (padding,
questions) -> `loader` (made ahead by worker processes, copied to the device) -> here. One step:
states -> latents -> vectors in the reasoner's input space -> the frozen reasoner answers ->
objectives -> gradients for the compressor alone.
"""

import math
import time
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from ..common import atomic
from ..common.errors import TrainingError
from ..common.threads import short_switch_interval
from ..compressor.model import compress
from ..reasoner.frozen import ReaderOutput
from .batches import Batch
from .clock import Clock, clock_of
from .figures import Figures, send
from .interrupt import deferred_interrupt
from .log import CurveLog
from .mass_figures import mass_figures
from .objectives import OBJECTIVES, Step, alignment_depths
from .optimisers import OPTIMISERS, set_lr
from .resume import Position, resume, save
from .run import Run

Progress = Callable[[dict[str, float]], None]
"""Called with the figures of every step."""

SKIPS_IN_A_ROW: Final = 3
"""Steps in a row without a finite gradient after which a training stops."""
SKIPS_IN_ALL: Final = 0.01
"""Share of steps without a finite gradient above which a budget does not count as used."""
NON_FINITE: Final = "non_finite.json"


@short_switch_interval()
def train(
    run: Run,
    on_step: Progress = lambda figures: None,
    on_begin: Callable[[int], None] = lambda step: None,
) -> None:
    """Train to the end of the budget, going on from the last checkpoint of this trial if any.

    Args:
        run: what is trained, and how.
        on_step: called with the figures of every step.
        on_begin: called with the number of steps done, before the first one of this session; not
            called if there is nothing left to do.

    Raises:
        CheckpointError: the checkpoint there belongs to another trial.
        TrainingError: the gradient was not finite several steps in a row.
        LatentcompError: the disk is full; the last checkpoint stays.
        KeyboardInterrupt: Ctrl-C, once the step is finished and kept.
    """
    run.model.to(run.accelerator.device)
    cuda = run.accelerator.device.type == "cuda"
    optimizers = OPTIMISERS[run.recipe.optimiser.kind](run.model, run.recipe.optimiser, cuda)
    at = resume(run, optimizers)
    clock = clock_of(run.recipe.budget, run.accelerator, at.seconds)
    if clock.progress(at.step) >= 1:
        run.batches.close()
        return
    on_begin(at.step)
    forward = run.accelerator.prepare(run.model)
    log = CurveLog(run.folder, at.step) if run.accelerator.is_main_process else None
    started = time.monotonic() - (log.seconds if log is not None else at.seconds)
    try:
        with deferred_interrupt(run.accelerator.num_processes) as interrupted:
            at = _steps(run, forward, optimizers, at, clock, log, started, on_step, interrupted)
        whole = clock.progress(at.step) >= 1
        if whole and run.recipe.budget.seconds is not None:
            # The clock began a little before the first step: the budget is used up, not nearly.
            at.seconds = max(at.seconds, run.recipe.budget.seconds)
        save(run, optimizers, at, finished=whole and at.skipped <= SKIPS_IN_ALL * at.step)
        if interrupted():
            raise KeyboardInterrupt
    finally:
        run.batches.close()
        if log is not None:
            log.close()


def _steps(
    run: Run,
    forward: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    at: Position,
    clock: Clock,
    log: CurveLog | None,
    started: float,
    on_step: Progress,
    interrupted: Callable[[], bool],
) -> Position:
    """Steps to the end of the budget or to a Ctrl-C; a checkpoint every so often."""
    ahead: tuple[Batch, float] | None = None
    while (progress := clock.progress(at.step)) < 1 and not interrupted():
        lr = set_lr(optimizers, run.recipe.optimiser, at.step, progress)
        batch, waited = ahead or _batch(run, at.step)
        ratio = run.recipe.ratio_at(run.record.seed, at.step, progress)
        launched = _backward(run, forward, batch, ratio)
        # A GPU would stand still while this process waits for the norm of the gradient and then
        # launches the update: meanwhile the teacher reads the next documents there.
        more = _reads_ahead(run) and clock.progress(at.step + 1) < 1
        ahead = _batch(run, at.step + 1) if more else None
        made = launched.read()
        _update(optimizers, made["gradient"])
        at = _advance(run, at, made["gradient"])
        at.seconds = time.monotonic() - started
        documents = len(batch.token_ids_BT) * run.accelerator.num_processes
        figures = {"step": at.step, **made, "ratio": ratio, "documents": at.step * documents}
        figures |= {"lr": lr, "waited": waited, "seconds": at.seconds}
        if log is not None:
            log.write(figures)
        on_step(figures)
        if at.step % run.save_every == 0 and clock.progress(at.step) < 1:
            save(run, optimizers, at, finished=False)
    return at


def _reads_ahead(run: Run) -> bool:
    return bool(run.accelerator.device.type == "cuda")


def _batch(run: Run, step: int) -> tuple[Batch, float]:
    """The batch of a step, and the seconds that it was waited for."""
    waited = time.monotonic()
    batch = run.batches.at(step).to(run.accelerator.device)
    return batch, time.monotonic() - waited


def _advance(run: Run, at: Position, gradient: float) -> Position:
    """The position after a step; raises where several in a row had no finite gradient."""
    if math.isfinite(gradient):
        return Position(at.step + 1, at.seconds, at.skipped)
    after = Position(at.step + 1, at.seconds, at.skipped + 1, at.skipped_in_a_row + 1)
    if after.skipped_in_a_row < SKIPS_IN_A_ROW:
        return after
    steps = range(after.step - SKIPS_IN_A_ROW, after.step)
    documents = {step + 1: list(run.batches.document_ids(step)) for step in steps}
    report = run.folder / NON_FINITE
    if run.accelerator.is_main_process:
        atomic.write_json(report, {"steps": documents, "skipped_steps": after.skipped})
    raise TrainingError(
        f"{run.folder}: the gradient was not finite in the {SKIPS_IN_A_ROW} steps up to "
        f"{after.step}; their documents are in {report}; the last checkpoint stays. Try a lower "
        "learning rate (--lr), or look at these documents"
    )


def _backward(run: Run, forward: nn.Module, batch: Batch, ratio: float) -> Figures:
    """Gradients, clipped, and the figures of the step, all of them launched."""
    own = run.recipe.data.states == "own"
    with run.accelerator.autocast():
        compressed = compress(forward, batch.states if own else batch.states.of_others(), ratio)
        context = run.reasoner.latent_context(compressed)
        keep, attend = (_depths(run, need) for need in ("needs_states", "needs_attention"))
        reading = run.reasoner.read(context, batch.questions, keep, attend)
        seen = Step(run.reasoner, batch, compressed, reading, run.targets)
        losses = {name: OBJECTIVES[name].loss(seen) for name in run.recipe.objectives}
    weights = run.recipe.objectives
    total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
    run.accelerator.backward(total)
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), run.recipe.optimiser.clip_norm)
    figures = {"loss": total, **losses, "token_accuracy": _token_accuracy(reading)}
    return send(figures | {"gradient": norm} | mass_figures(compressed, batch, run.kinds))


def _update(optimizers: list[torch.optim.Optimizer], gradient: float) -> None:
    for optimizer in optimizers:
        if math.isfinite(gradient):  # one bad batch must not poison the weights
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _depths(run: Run, need: str) -> tuple[int, ...]:
    """Depths of the reasoner at which an objective has this need; none where none has it."""
    needed = any(getattr(OBJECTIVES[name], need) for name in run.recipe.objectives)
    return alignment_depths(len(run.reasoner.blocks)) if needed else ()


def _token_accuracy(reading: ReaderOutput) -> Tensor:
    """Share of answer tokens that are likeliest given the right ones before: a diagnostic."""
    return (reading.logits_NV.argmax(-1) == reading.targets_N).float().mean()
