"""Training of one lab model from scratch: warm-up, constant and linear-decay phases.

Run under torchrun for several GPUs; every process generates its own documents. The loss is that
of a language model with a larger weight on answers.
"""

import argparse
import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from ..common import atomic, provenance
from ..common.errors import LatentcompError
from ..corpus.chronicle4.chronicle import GENERATOR_VERSION
from ..models.files import PROMPT_FILE, ModelFiles, identify_model
from ..models.loading import load_tokenizer
from ..models.stages import TRAINING_FILE, stages_of
from .architecture import LAB_MODELS, LabModel, Start, build
from .curriculum import LESSONS, SPARSE_FROM, SYLLABI, lessons_of
from .engine import Engine
from .growth import load_grown
from .lessons import HEAD, NOTES, QUESTION, SUMMARY, LessonBatches
from .loader import batches_of
from .tokenizer import build_tokenizer
from .training_log import (
    LOG_EVERY,
    PretrainingResult,
    StepLog,
    accuracy_by_family,
)

LEARNING_RATE: Final = 1e-3
WARMUP_STEPS: Final = 300
DECAY_START: Final = 0.5
CHECK_EVERY: Final = 16


@dataclass(frozen=True, slots=True)
class Pretraining:
    """All settings of a training run."""

    shape: LabModel
    seed: int
    seconds: float | None
    """Wall-clock budget, or None to stop after `steps`."""
    steps: int | None
    tokens_per_step: int
    """Tokens (with padding) of one step of one process."""
    workers: int = 6
    rate: float = LEARNING_RATE
    """Peak learning rate of AdamW; the name is that of the shipped models' records."""
    matrix_rate: float | None = None
    """Peak learning rate of Muon on the matrices; None: AdamW there too."""
    start: Start = Start()
    after: str | None = None
    """Folder of an earlier stage, whose weights are taken instead of fresh ones."""
    tokenizer: str | None = None
    """Folder of a model whose tokenizer a model with fresh weights takes; None: a new one."""
    lessons: str = "lab"
    """Key of `LESSONS`."""
    syllabus: str = "hints"
    """Key of `SYLLABI`."""
    compile: bool = True
    capture: bool = True
    """Whether a GPU replays one captured graph a step."""
    sparse: bool = False
    """Whether a compiled step on a GPU skips the pairs of tokens that do not see each other."""


def pretrain(plan: Pretraining, folder: Path) -> PretrainingResult:
    """Train, and let the first process save into `folder`; every process returns the result.

    Raises:
        LatentcompError: the model of the stage before cannot be gone on from.
    """
    rank, world, device = _init_distributed()
    torch.manual_seed(plan.seed)
    tokenizer = _tokenizer(plan)
    model = build(plan.shape, plan.start)
    if plan.after is not None:
        load_grown(model, Path(plan.after))
    model.to(device)  # type: ignore[arg-type]
    engine = Engine(
        model,
        plan.rate,
        compiled=plan.compile,
        captured=plan.capture,
        world=world,
        matrix_lr=plan.matrix_rate,
        hints_at=SYLLABI[plan.syllabus].hints_at,
        sparse=plan.sparse,
    )
    log = StepLog(folder / "log.jsonl" if rank == 0 else None)
    lessons = lessons_of(plan.lessons, plan.syllabus, plan.tokens_per_step)
    data = LessonBatches(tokenizer, lessons, plan.seed, rank, world)
    started = time.monotonic()
    progress, step, tokens, accuracy = 0.0, 0, 0, dict[str, float]()
    with batches_of(data, plan.workers) as batches:
        while progress < 1.0:
            batch = next(batches)
            loss, right = engine.step(batch, _lr_factor(step, progress))
            step, tokens = step + 1, tokens + batch.ids.numel()
            if step % CHECK_EVERY == 0 or plan.steps is not None:
                progress = _progress(plan, step, time.monotonic() - started, device, world)
            if step % LOG_EVERY == 0 or step == 1:
                if not math.isfinite(float(loss)):
                    raise FloatingPointError(f"the loss is {float(loss)} at step {step}")
                accuracy = accuracy_by_family(batch, right.cpu())
                length = batch.ids.shape[1]
                log(step, progress, float(loss), accuracy, time.monotonic() - started, length)
        seconds = time.monotonic() - started
        if rank == 0:
            _save(model, tokenizer, folder)
    size = sum(weight.numel() for weight in model.parameters())
    return PretrainingResult(step, tokens * world, seconds, world, size, accuracy)


def _tokenizer(plan: Pretraining) -> PreTrainedTokenizerFast:
    """A new one, but with the weights of an earlier stage the one that they are for."""
    source = plan.after or plan.tokenizer
    if source is None:
        return build_tokenizer()
    return load_tokenizer(ModelFiles(name=source, folder=Path(source), revision=None))


def _init_distributed() -> tuple[int, int, torch.device]:
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if world > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return rank, world, device


def _lr_factor(step: int, progress: float) -> float:
    """Factor on the learning rate at a step, with `progress` in [0, 1) of the budget."""
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    decay = 1.0 if progress < DECAY_START else (1.0 - progress) / (1.0 - DECAY_START)
    return warm * max(decay, 0.01)


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


def _save(model: nn.Module, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="10MB")  # type: ignore[operator]
    tokenizer.save_pretrained(str(folder))
    prompt = {"head": HEAD, "question": QUESTION, "summary": SUMMARY, "notes": NOTES}
    atomic.write_json(folder / PROMPT_FILE, {"generator": GENERATOR_VERSION, "prompt": prompt})


def _weights_sha256(folder: Path) -> str:
    named = ModelFiles(name=folder.name, folder=folder, revision=None)
    return identify_model(named).weights_sha256


def describe(plan: Pretraining, result: PretrainingResult) -> dict[str, object]:
    """The record of a training run for the result file."""
    return {"plan": asdict(plan), "outcome": asdict(result)}


def _parse_arguments() -> tuple[Pretraining, Path]:
    """The plan and the output folder of the command line."""
    parser = argparse.ArgumentParser(description="Train one lab model from scratch.")
    parser.add_argument("--model", choices=sorted(LAB_MODELS), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--blocks", type=int, help="Depth, instead of the model's own.")
    parser.add_argument("--hidden", type=int, help="Width, instead of the model's own.")
    parser.add_argument("--heads", type=int, help="Query heads, instead of the model's own.")
    parser.add_argument("--feed-forward", type=int, help="Likewise.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--tokens-per-step", type=int, default=38_400)
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--matrix-rate", type=float, help="Muon on the matrices, at this rate.")
    parser.add_argument("--embedding-size", type=float, default=Start().embedding)
    parser.add_argument("--residual-size", type=float, default=None)
    parser.add_argument("--after", help="Folder of the stage before: its weights and tokenizer.")
    parser.add_argument("--tokenizer", help="Folder of a model whose tokenizer a new one takes.")
    parser.add_argument("--lessons", choices=sorted(LESSONS), default="lab")
    parser.add_argument("--syllabus", choices=sorted(SYLLABI), default="hints")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--no-capture", action="store_true")
    parser.add_argument("--dense-attention", action="store_true")
    given = parser.parse_args()
    if (given.seconds is None) == (given.steps is None):
        parser.error("give either --seconds or --steps")
    if given.after and given.tokenizer:
        parser.error("--after has a tokenizer of its own: leave --tokenizer out")
    plan = Pretraining(
        shape=_shape(given),
        seed=given.seed,
        seconds=given.seconds,
        steps=given.steps,
        tokens_per_step=given.tokens_per_step,
        workers=given.workers,
        rate=given.rate,
        matrix_rate=given.matrix_rate,
        lessons=given.lessons,
        after=given.after,
        tokenizer=given.tokenizer,
        syllabus=given.syllabus,
        start=Start(given.embedding_size, given.residual_size),
        compile=not given.no_compile,
        capture=not given.no_capture,
        sparse=not given.dense_attention and _longest(given.lessons) >= SPARSE_FROM,
    )
    return plan, given.out


def _longest(lessons: str) -> int:
    return max(kind.length for kind in LESSONS[lessons])


def _shape(given: argparse.Namespace) -> LabModel:
    sizes = ("blocks", "hidden", "heads", "feed_forward")
    wanted = {name: size for name in sizes if (size := getattr(given, name)) is not None}
    return replace(LAB_MODELS[given.model], **wanted)


def main() -> None:
    """Entry of a training process: `torchrun ... -m latentcomp.lab.pretrain`."""
    plan, folder = _parse_arguments()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the workers are the parallelism
    try:
        before = stages_of(plan.after)
        begun = None if plan.after is None else _weights_sha256(Path(plan.after))
        result = pretrain(plan, folder)
    except LatentcompError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    if int(os.environ.get("RANK", "0")) == 0:
        inputs = {} if begun is None else {"after": begun}
        seen = provenance.collect({"pretrain": plan.seed}, inputs).model_dump(mode="json")
        made = {"weights_sha256": _weights_sha256(folder)}
        record = {**describe(plan, result), **made, "provenance": seen}
        atomic.write_json(folder / TRAINING_FILE, {"stages": [*before, record]})
        print(json.dumps(asdict(result)), flush=True)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
