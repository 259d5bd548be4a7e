"""Train one lab model from scratch: one loop, one optimiser, a schedule over progress.

Run under torchrun for several GPUs; every process draws its own documents. The recipe is that
of a small language model (AdamW, warm-up, flat, linear decay) with the loss on answers weighted
up.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..common import atomic, provenance
from ..corpus.chronicle.questions import FAMILIES
from .architecture import LAB_MODELS, LabModel, Start, build
from .engine import Engine
from .sequences import (
    BROAD,
    HEAD,
    NOTES,
    QUESTION,
    SUMMARY,
    TWO_HOP,
    Lesson,
    LessonBatch,
    LessonBatches,
    Syllabus,
)
from .tokenizer import build_tokenizer

TRAINING_FILE: Final = "training.json"
SYLLABI: Final[dict[str, Syllabus]] = {
    "broad": BROAD,
    "two-hop": TWO_HOP,
    "two-hop-late": replace(TWO_HOP, hints_at=(1 / 2, 2 / 3)),
    "two-hop-unaided": replace(TWO_HOP, hints_at=()),
}
RATE: Final = 1e-3
WARM_UP_STEPS: Final = 300
FLAT_UNTIL: Final = 0.5
CHECK_EVERY: Final = 16
LOG_EVERY: Final = 50


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Everything that decides how a lab model comes out."""

    shape: LabModel
    seed: int
    seconds: float | None
    """Wall-clock budget, or None to stop after `steps`."""
    steps: int | None
    tokens_per_step: int
    """Tokens (with padding) of one step of one process."""
    length: int = 640
    """Tokens of a sequence: the document, then as many questions as fit."""
    workers: int = 6
    rate: float = RATE
    start: Start = Start()
    after: str | None = None
    """Folder of an earlier stage, whose weights are taken instead of fresh ones."""
    syllabus: str = "broad"
    """Key of `SYLLABI`."""
    compile: bool = True
    capture: bool = True
    """Whether a GPU replays one captured graph a step."""

    def lesson(self) -> Lesson:
        """Documents of all sizes, so that short ones teach what long ones then need."""
        syllabus = SYLLABI[self.syllabus]
        return Lesson((3, 9), self.length, max(1, self.tokens_per_step // self.length), syllabus)


@dataclass(frozen=True, slots=True)
class PretrainingResult:
    """What a training run used."""

    steps: int
    tokens: int
    """Tokens of all processes, padding included."""
    seconds: float
    processes: int
    parameters: int
    answer_accuracy: dict[str, float]
    """Share of answers with every token right, teacher-forced, on the last logged batch."""


def pretrain(plan: Pretraining, folder: Path) -> PretrainingResult:
    """Train, and let the first process save into `folder`; every process returns the result."""
    rank, world, device = _join()
    torch.manual_seed(plan.seed)
    tokenizer = build_tokenizer(plan.seed)
    model = build(plan.shape, plan.start)
    if plan.after is not None:
        _take_weights(model, Path(plan.after))
    model.to(device)  # type: ignore[arg-type]
    engine = Engine(
        model,
        plan.rate,
        compiled=plan.compile,
        captured=plan.capture,
        world=world,
        hints_at=SYLLABI[plan.syllabus].hints_at,
    )
    log = _Log(folder / "log.jsonl" if rank == 0 else None)
    started = time.monotonic()
    progress, step, accuracy = 0.0, 0, dict[str, float]()
    data = LessonBatches(tokenizer, plan.lesson(), plan.seed, rank, world)
    batches = _batches(data, plan.workers)
    while progress < 1.0:
        batch = next(batches)
        loss, right = engine.step(batch, plan.rate * _schedule(step, progress))
        step += 1
        if step % CHECK_EVERY == 0 or plan.steps is not None:
            progress = _progress(plan, step, time.monotonic() - started, device, world)
        if step % LOG_EVERY == 0 or step == 1:
            if not math.isfinite(float(loss)):
                raise FloatingPointError(f"the loss is {float(loss)} at step {step}")
            accuracy = _by_family(batch, right.cpu())
            log(step, progress, float(loss), accuracy, time.monotonic() - started)
    seconds = time.monotonic() - started
    if rank == 0:
        _save(model, tokenizer, folder)
    tokens = step * plan.tokens_per_step * world
    size = sum(weight.numel() for weight in model.parameters())
    return PretrainingResult(step, tokens, seconds, world, size, accuracy)


def _take_weights(model: nn.Module, folder: Path) -> None:
    weights: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        weights |= load_file(file)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]  # tied, and kept once
    model.load_state_dict(weights)


def _join() -> tuple[int, int, torch.device]:
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if world > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return rank, world, device


def _batches(data: LessonBatches, workers: int) -> Iterator[LessonBatch]:
    loader = DataLoader(
        data,
        batch_size=None,
        shuffle=False,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=False,
    )
    return iter(loader)


def _schedule(step: int, progress: float) -> float:
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    decay = 1.0 if progress < FLAT_UNTIL else (1.0 - progress) / (1.0 - FLAT_UNTIL)
    return warm * max(decay, 0.01)


def _by_family(batch: LessonBatch, right: Tensor) -> dict[str, float]:
    """Share of answers with every token right, by family; teacher-forced, a diagnostic."""
    family, segment = batch.family[:, 1:], batch.segment[:, 1:]
    answers = int(segment.max()) + 1
    row = torch.arange(len(family), device=family.device)[:, None]
    key = (row * answers + segment.clamp(min=0))[family >= 0]
    wrong = torch.zeros(len(family) * answers, device=family.device)
    wrong.index_add_(0, key, (~right[family >= 0]).float())
    kinds = torch.full_like(wrong, -1, dtype=torch.int64).index_put_((key,), family[family >= 0])
    return {
        name: round(float((wrong[kinds == number] == 0).float().mean()), 4)
        for number, name in enumerate(FAMILIES)
        if bool((kinds == number).any())
    }


def _progress(
    plan: Pretraining, step: int, seconds: float, device: torch.device, world: int
) -> float:
    if plan.steps is not None:
        return step / plan.steps
    assert plan.seconds is not None
    share = torch.tensor(seconds / plan.seconds, device=device)
    if world > 1:  # all processes must stop at the same step
        torch.distributed.broadcast(share, 0)
    return float(share)


def _save(model: nn.Module, tokenizer: object, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="10MB")  # type: ignore[operator]
    tokenizer.save_pretrained(str(folder))  # type: ignore[attr-defined]
    prompt = {"head": HEAD, "question": QUESTION, "summary": SUMMARY, "notes": NOTES}
    atomic.write_json(folder / "latentcomp.json", {"prompt": prompt})


class _Log:
    """JSON lines, one for every logged step; does nothing without a file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")

    def __call__(
        self, step: int, progress: float, loss: float, accuracy: dict[str, float], seconds: float
    ) -> None:
        if self._file is None:
            return
        line = {
            "step": step,
            "progress": round(progress, 4),
            "loss": round(loss, 4),
            "seconds": round(seconds, 1),
            "accuracy": accuracy,
        }
        with self._file.open("a") as out:
            out.write(json.dumps(line) + "\n")
        if step % (10 * LOG_EVERY) == 0 or step == LOG_EVERY:
            shown = " ".join(f"{name}={value:.2f}" for name, value in accuracy.items())
            print(f"step {step} {seconds:.0f} s loss {loss:.3f} {shown}", flush=True)


def stages_of(folder: str | None) -> list[dict[str, object]]:
    """Records of the training stages behind the model in `folder`; none behind fresh weights."""
    if folder is None:
        return []
    stages: list[dict[str, object]] = json.loads((Path(folder) / TRAINING_FILE).read_text())[
        "stages"
    ]
    return stages


def describe(plan: Pretraining, result: PretrainingResult) -> dict[str, object]:
    """The record of a training run for the result file."""
    return {"plan": asdict(plan), "outcome": asdict(result)}


def main() -> None:
    """Entry of a training process: `torchrun ... -m latentcomp.lab.pretrain`."""
    parser = argparse.ArgumentParser(description="Train one lab model from scratch.")
    parser.add_argument("--model", choices=sorted(LAB_MODELS), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--tokens-per-step", type=int, default=38_400)
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--embedding-size", type=float, default=Start().embedding)
    parser.add_argument("--residual-size", type=float, default=None)
    parser.add_argument("--after", help="Folder of the stage before.")
    parser.add_argument("--syllabus", choices=sorted(SYLLABI), default="broad")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--no-capture", action="store_true")
    given = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the workers are the parallelism
    if (given.seconds is None) == (given.steps is None):
        parser.error("give either --seconds or --steps")
    plan = Pretraining(
        shape=LAB_MODELS[given.model],
        seed=given.seed,
        seconds=given.seconds,
        steps=given.steps,
        tokens_per_step=given.tokens_per_step,
        workers=given.workers,
        rate=given.rate,
        after=given.after,
        syllabus=given.syllabus,
        start=Start(given.embedding_size, given.residual_size),
        compile=not given.no_compile,
        capture=not given.no_capture,
    )
    result = pretrain(plan, given.out)
    if int(os.environ.get("RANK", "0")) == 0:
        seen = provenance.collect({"pretrain": plan.seed}, {}).model_dump(mode="json")
        record = {**describe(plan, result), "provenance": seen}
        stages = [*stages_of(given.after), record]
        atomic.write_json(given.out / TRAINING_FILE, {"stages": stages})
        print(json.dumps(asdict(result)), flush=True)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
