"""Training and measuring of the lab teacher and the lab student (`latentcomp lab-models`)."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from ..common import atomic, provenance
from ..common.errors import LatentcompError
from ..corpus.chronicle import generate
from ..corpus.records import Document
from ..evaluate.answers import answer_questions
from ..evaluate.arms.table import REFERENCE_ARMS
from ..evaluate.arms.text import ceiling, floor
from ..evaluate.cells import break_down
from ..evaluate.scores import ScoredAnswer
from ..evaluate.stats import RESAMPLES, Interval
from ..models.files import LAB_FOLDERS
from ..models.loading import CausalLM, load_causal_lm
from ..reasoner.generate import Prefix
from .training_log import TRAINING_FILE

RESULT: Final = "lab_models.json"
HELD_OUT_SEED: Final = 4242
SHIPPED_MODELS: Final = {"teacher": LAB_FOLDERS["lab"], "student": LAB_FOLDERS["lab-student"]}
BAR_OVERALL: Final = 0.97
BAR_FAMILY: Final = 0.95


@dataclass(frozen=True, slots=True)
class TrainingStage:
    """One stage of a model's training; starts from the weights of the stage before."""

    syllabus: str
    """Key of `SYLLABI` in the training module."""
    share: float
    """Of the model's training time."""


STAGES: Final = (TrainingStage("broad", 0.65), TrainingStage("two-hop", 0.35))


@dataclass(frozen=True, slots=True)
class LabTraining:
    """How long each model trains (0: not at all); the seed decides everything else."""

    teacher_seconds: float
    student_seconds: float
    seed: int
    documents: int
    after: str | None = None
    """Folder with models whose first stage is done; the rest of the stages get all the time."""


def train_lab_models(recipe: LabTraining, out: Path) -> dict[str, Any]:
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
    return measure_lab_models(
        {name: out / name for name in chosen}, recipe.documents, out / RESULT, recipe=recipe
    )


def measure_lab_models(
    folders: Mapping[str, Path],
    documents: int,
    out: Path,
    *,
    recipe: LabTraining | None = None,
    progress: Callable[[str, int], None] = lambda arm, documents: None,
) -> dict[str, Any]:
    """Answers of lab models to held-out documents: figures with intervals, written to `out`.

    Args:
        folders: of the models, by name.
        documents: held-out documents, of the test split and a seed that nothing else uses.
        out: JSON file.
        recipe: of the training that just made them, if one did.
        progress: called with the arm and the number of finished documents after every batch.

    Raises:
        TeacherError: a model cannot be read.
    """
    recorded = provenance.collect({"documents": HELD_OUT_SEED}, {}).model_dump(mode="json")
    held = list(generate("lab", "test", documents, HELD_OUT_SEED))
    result = {
        "held_out": {"split": "test", "seed": HELD_OUT_SEED, "documents": len(held)},
        "bars": {"overall": BAR_OVERALL, "family": BAR_FAMILY},
        "recipe": None if recipe is None else asdict(recipe),
        "models": {name: _record(name, folder, held, progress) for name, folder in folders.items()},
        "provenance": recorded,
    }
    atomic.write_json(out, result)
    return result


def _train(name: str, out: Path, recipe: LabTraining, seconds: float) -> None:
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
    command += [f"--nproc-per-node={gpus}", "-m", "latentcomp.lab.pretrain"]
    command += ["--model", name, "--out", str(folder)]
    command += [piece for key, value in options.items() for piece in (f"--{key}", str(value))]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise LatentcompError(
            f"training the lab {name} failed with exit code {done.returncode}; "
            "its own message stands above"
        )


def _record(
    name: str,
    folder: Path,
    documents: Sequence[Document],
    progress: Callable[[str, int], None],
) -> dict[str, Any]:
    def on_batch(arm: str, done: int) -> None:
        progress(f"{name}, {arm}", done)

    gpu = torch.cuda.is_available()
    lm = load_causal_lm(str(folder), device="cuda" if gpu else "cpu")
    rows = measure(lm, documents, batch_size=48 if gpu else 16, progress=on_batch)
    accuracies = figures(rows)
    by_family = accuracies["ceiling"]["by_family"].values()
    met = accuracies["ceiling"]["accuracy"]["point"] >= BAR_OVERALL and all(
        family["point"] >= BAR_FAMILY for family in by_family
    )
    return {
        "training": json.loads((folder / TRAINING_FILE).read_text()),
        "identity": lm.identity.model_dump(mode="json"),
        "bars_met": met,
        **accuracies,
    }


def measure(
    lm: CausalLM,
    documents: Sequence[Document],
    *,
    batch_size: int = 8,
    progress: Callable[[str, int], None] = lambda arm, documents: None,
) -> list[ScoredAnswer]:
    """Answers with the whole document (ceiling) and without it (floor)."""
    rows: list[ScoredAnswer] = []
    arms: dict[str, list[Prefix]] = {
        "ceiling": ceiling(lm, documents),
        "floor": floor(lm, documents),
    }
    for arm, prefixes in arms.items():
        rows += answer_questions(
            lm,
            documents,
            prefixes,
            arm,
            batch_size=batch_size,
            progress=partial(progress, arm),
        ).rows
    return rows


def figures(rows: Sequence[ScoredAnswer]) -> dict[str, Any]:
    """Accuracy with the document (ceiling) and without (floor), overall and by family.

    Each with its 95 % interval, a bootstrap of whole documents.
    """
    parts = break_down(rows, seed=HELD_OUT_SEED, resamples=RESAMPLES)
    return {
        arm: {
            "accuracy": _short(parts.overall.accuracy[arm]),
            "by_family": {
                family: _short(cell.accuracy[arm]) for family, cell in parts.families.items()
            },
        }
        for arm in REFERENCE_ARMS
    }


def _short(interval: Interval) -> dict[str, Any]:
    return interval.model_dump(include={"point", "low", "high", "n", "clusters"})
