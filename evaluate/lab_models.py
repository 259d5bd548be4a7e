"""`make lab-models`: train the lab teacher and the lab student, measure both, write it down."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from ..errors import LatentcompError
from ..extract.corpus import generate
from ..extract.teachers.lab.pretrain import TRAINING_FILE
from ..models import CausalLM, load_causal_lm
from ..store import atomic, provenance
from ..store.records import Document
from .answers import Prefix
from .scores import Arm, ScoredAnswer
from .teacher import ask, ceiling, floor

HELD_OUT_SEED: Final = 4242
BAR_OVERALL: Final = 0.97
BAR_FAMILY: Final = 0.95


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a model's training, which goes on from the part before."""

    syllabus: str
    """What is asked, a key of `SYLLABI` in the training module."""
    share: float
    """Of the model's training time."""


STAGES: Final = (Stage("broad", 0.65), Stage("two-hop", 0.35))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long each model trains (0: not at all); the seed decides everything else."""

    teacher_seconds: float
    student_seconds: float
    seed: int
    documents: int
    after: str | None = None
    """Folder with models whose first stage is done; the rest of the stages get all the time."""


def train_lab_models(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Train both models into `out/teacher` and `out/student` and measure them.

    Returns:
        The content of `lab_models.json`, also written to `out`.

    Raises:
        LatentcompError: there is no GPU, or a training process failed.
    """
    if not torch.cuda.is_available():
        raise LatentcompError("lab-models needs a CUDA GPU: none is visible to torch here")
    wanted = {"teacher": recipe.teacher_seconds, "student": recipe.student_seconds}
    chosen = [name for name, seconds in wanted.items() if seconds > 0]
    for name in chosen:
        _train(name, out, recipe, wanted[name])
    documents = list(generate("lab", "test", recipe.documents, HELD_OUT_SEED))
    result = {
        "held_out": {"split": "test", "seed": HELD_OUT_SEED, "documents": len(documents)},
        "bars": {"overall": BAR_OVERALL, "family": BAR_FAMILY},
        "recipe": asdict(recipe),
        "models": {name: _record(out / name, documents) for name in chosen},
        "provenance": provenance.collect({"lab-models": recipe.seed}, {}).model_dump(mode="json"),
    }
    atomic.write_json(out / "lab_models.json", result)
    return result


def _train(name: str, out: Path, recipe: Recipe, seconds: float) -> None:
    """All stages of one model; the last one writes `out/name`."""
    stages = list(enumerate(STAGES))
    after = None if recipe.after is None else Path(recipe.after) / name
    if after is not None:
        stages = stages[1:]
    whole = sum(stage.share for _, stage in stages)
    for number, stage in stages:
        last = number == len(STAGES) - 1
        folder = out / name if last else out / f"stage-{number + 1}" / name
        _launch(
            name,
            folder,
            # Its own seed: a stage sees no document of the stage before it.
            {"seed": recipe.seed + number, "seconds": seconds * stage.share / whole}
            | {"syllabus": stage.syllabus}
            | ({} if after is None else {"after": after}),
        )
        after = folder


def _launch(name: str, folder: Path, options: Mapping[str, object]) -> None:
    gpus = torch.cuda.device_count()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={gpus}", "-m", "latentcomp.extract.teachers.lab.pretrain"]
    command += ["--model", name, "--out", str(folder)]
    command += [piece for key, value in options.items() for piece in (f"--{key}", str(value))]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise LatentcompError(
            f"training the lab {name} failed with exit code {done.returncode}; "
            "its own message stands above"
        )


def _record(folder: Path, documents: Sequence[Document]) -> dict[str, Any]:
    lm = load_causal_lm(str(folder), device="cuda")
    rows = measure(lm, documents, documents_at_once=48)
    training = json.loads((folder / TRAINING_FILE).read_text())
    return {
        "training": training,
        "identity": lm.identity.model_dump(mode="json"),
        **figures(rows),
    }


def measure(
    lm: CausalLM,
    documents: Sequence[Document],
    *,
    documents_at_once: int = 8,
    progress: Callable[[str, int], None] = lambda arm, documents: None,
) -> list[ScoredAnswer]:
    """Answers with the whole document (ceiling) and without it (floor)."""
    rows: list[ScoredAnswer] = []
    arms: dict[Arm, list[Prefix]] = {
        "ceiling": ceiling(lm, documents),
        "floor": floor(lm, documents),
    }
    for arm, prefixes in arms.items():
        rows += ask(
            lm,
            documents,
            prefixes,
            arm,
            documents_at_once=documents_at_once,
            progress=partial(progress, arm),
        )
    return rows


def figures(rows: Sequence[ScoredAnswer]) -> dict[str, Any]:
    """Accuracy overall and by family, ceiling and floor, plainly counted."""
    families = dict.fromkeys(row.family for row in rows)
    return {
        arm: {
            "accuracy": _accuracy([row for row in rows if row.arm == arm]),
            "questions": sum(row.arm == arm for row in rows),
            "by_family": {
                family: _accuracy([row for row in rows if row.arm == arm and row.family == family])
                for family in families
            },
        }
        for arm in ("ceiling", "floor")
    }


def _accuracy(rows: Sequence[ScoredAnswer]) -> float:
    return sum(row.correct for row in rows) / len(rows)
