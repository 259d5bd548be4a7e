"""Log and record of a lab model's training: JSON lines while it runs, `training.json` after it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from ..corpus.chronicle4.families import FAMILIES
from .sequences import LessonBatch

LOG_EVERY: Final = 50
"""Steps between two logged ones."""


@dataclass(frozen=True, slots=True)
class PretrainingResult:
    """Size and outcome of a training run."""

    steps: int
    tokens: int
    """Tokens of all processes, padding included."""
    seconds: float
    processes: int
    parameters: int
    answer_accuracy: dict[str, float]
    """Share of answers with every token right, teacher-forced, on the last logged batch."""


def accuracy_by_family(batch: LessonBatch, right: Tensor) -> dict[str, float]:
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


class StepLog:
    """JSON lines, one a logged step; without a file it does nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")

    def __call__(
        self,
        step: int,
        progress: float,
        loss: float,
        accuracy: dict[str, float],
        seconds: float,
        length: int,
    ) -> None:
        if self._file is None:
            return
        line = {
            "step": step,
            "progress": round(progress, 4),
            "loss": round(loss, 4),
            "seconds": round(seconds, 1),
            "length": length,
            "accuracy": accuracy,
        }
        with self._file.open("a") as out:
            out.write(json.dumps(line) + "\n")
        if step % (10 * LOG_EVERY) == 0 or step == LOG_EVERY:
            shown = " ".join(f"{name}={value:.2f}" for name, value in accuracy.items())
            print(f"step {step} {seconds:.0f} s loss {loss:.3f} {shown}", flush=True)
