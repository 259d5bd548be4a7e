"""Training and measuring of the lab teacher and the lab student (`latentcomp lab-models`)."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from ..common import atomic, provenance
from ..common.errors import LatentcompError
from ..models.files import LAB_FOLDERS
from ..models.stages import stages_of
from ..models.world import generator_of
from .measuring import BARS, HELD_OUT_SEED, SPLIT, Progress, held_out, measured
from .measuring import measure as measure

RESULT: Final = "lab_models.json"
SHIPPED_MODELS: Final = {"teacher": LAB_FOLDERS["lab"], "student": LAB_FOLDERS["lab-student"]}


@dataclass(frozen=True, slots=True)
class TrainingStage:
    """One stage of a model's training; starts from the weights of the stage before."""

    name: str
    share: float
    """Of the model's training time."""
    blocks: int
    lessons: str
    """Key of `LESSONS` in `curriculum.py`."""
    syllabus: str
    """Key of `SYLLABI` there."""
    matrix_rate: float
    """Peak learning rate of Muon."""
    seed: int
    """Added to the recipe's: no stage reads the documents of another."""


STAGES: Final[dict[str, tuple[TrainingStage, ...]]] = {
    "teacher": (
        TrainingStage("trunk", 0.20, 16, "lab", "hints", 3e-3, seed=0),
        TrainingStage("deep", 0.24, 48, "lab", "hard", 2e-3, seed=1),
        TrainingStage("long", 0.17, 48, "long", "hard", 1e-3, seed=2),
        TrainingStage("longer", 0.25, 48, "longer", "long", 1.5e-3, seed=4),
        TrainingStage("settled", 0.095, 48, "longer", "long", 1e-3, seed=6),
        TrainingStage("guessing", 0.045, 48, "longer", "guesses", 7e-4, seed=8),
    ),
    "student": (
        TrainingStage("whole", 0.5, 12, "lab", "hints", 3e-3, seed=3),
        TrainingStage("further", 0.5, 12, "lab", "hard", 2e-3, seed=5),
    ),
}
"""By model. A shallow trunk learns to read fast; grown in depth it goes on from there."""


@dataclass(frozen=True, slots=True)
class LabTraining:
    """How long each model trains (0: not at all); the seed decides everything else."""

    teacher_seconds: float
    student_seconds: float
    seed: int
    documents: int
    after: str | None = None
    """Folder of models with their first stages done, as their `training.json` says; the rest of
    the stages get all the time. A model that is not there is trained from nothing."""


def train_lab_models(recipe: LabTraining, presets: Sequence[str], out: Path) -> dict[str, Any]:
    """Train both models into `out/teacher` and `out/student` and measure them.

    Args:
        recipe: of the training.
        presets: whose documents the models are measured on.
        out: folder of the models and of the figures.

    Returns:
        The content of `lab_models.json`, also written to `out`.

    Raises:
        LatentcompError: there is no GPU, or a training process failed.
    """
    if not torch.cuda.is_available():
        raise LatentcompError("lab-models needs a CUDA GPU: none is visible to torch here")
    wanted = {"teacher": recipe.teacher_seconds, "student": recipe.student_seconds}
    plans = {name: _stages_left(name, recipe) for name, seconds in wanted.items() if seconds > 0}
    for name, stages in plans.items():
        _train(name, stages, out, recipe, wanted[name])
    folders = {name: out / name for name in plans}
    return measure_lab_models(folders, presets, recipe.documents, out / RESULT, recipe=recipe)


def measure_lab_models(
    folders: Mapping[str, Path],
    presets: Sequence[str],
    documents: int,
    out: Path,
    progress: Progress = lambda arm, documents: None,
    *,
    recipe: LabTraining | None = None,
) -> dict[str, Any]:
    """Answers of lab models to held-out documents: figures with intervals, written to `out`.

    Args:
        folders: of the models, by name; each is measured on the generator that it reads.
        presets: of that generator.
        documents: held-out documents of every preset, of a seed that nothing else uses.
        out: JSON file.
        progress: receives model, preset and arm, and finished documents.
        recipe: of the training that just made them, if one did.

    Returns:
        The content of the file. Under `models`, figures on the first preset have the model's name,
        those on another one `name/preset`.

    Raises:
        TeacherError, CorpusError, LatentcompError: a model cannot be read, or a preset is unknown.
    """
    recorded = provenance.collect({"documents": HELD_OUT_SEED}, {}).model_dump(mode="json")
    versions = {name: generator_of(folder) for name, folder in folders.items()}
    stages = {name: stages_of(str(folder)) for name, folder in folders.items()}
    held = {
        (version, preset): held_out(version, preset, documents)
        for version in sorted(set(versions.values()))
        for preset in presets
    }
    figures: dict[str, Any] = {}
    for name, folder in folders.items():
        for preset in presets:
            key = name if preset == presets[0] else f"{name}/{preset}"
            on_batch = partial(_tell, progress, key)
            figures[key] = {
                "generator": versions[name],
                "training": {"stages": stages[name]},
                **measured(folder, held[versions[name], preset], preset, on_batch),
            }
    result = {
        "held_out": {"split": SPLIT, "seed": HELD_OUT_SEED, "documents": documents},
        "bars": {preset: asdict(bars) for preset, bars in BARS.items()},
        "recipe": None if recipe is None else asdict(recipe),
        "models": figures,
        "provenance": recorded,
    }
    atomic.write_json(out, result)
    return result


def _tell(progress: Progress, key: str, arm: str, documents: int) -> None:
    progress(f"{key}, {arm}", documents)


def _stages_left(name: str, recipe: LabTraining) -> tuple[TrainingStage, ...]:
    """Stages of a model that are not done yet."""
    before = _folder_before(name, recipe)
    done = len(stages_of(None if before is None else str(before)))
    if done >= len(STAGES[name]):
        raise LatentcompError(
            f"{before}: {done} stages are done, and the {name} has {len(STAGES[name])}; "
            f"leave it out (--{name}-seconds 0)"
        )
    return STAGES[name][done:]


def _folder_before(name: str, recipe: LabTraining) -> Path | None:
    folder = None if recipe.after is None else Path(recipe.after) / name
    return folder if folder is not None and folder.is_dir() else None


def _train(
    name: str, stages: Sequence[TrainingStage], out: Path, recipe: LabTraining, seconds: float
) -> None:
    """Some stages of one model; the last one writes `out/name`."""
    whole = sum(stage.share for stage in stages)
    before = _folder_before(name, recipe)
    for stage in stages:
        folder = out / name if stage is stages[-1] else out / f"{name}-{stage.name}"
        options: dict[str, object] = {
            "seed": recipe.seed + stage.seed,
            "seconds": seconds * stage.share / whole,
            "blocks": stage.blocks,
            "lessons": stage.lessons,
            "syllabus": stage.syllabus,
            "matrix-rate": stage.matrix_rate,
        }
        if before is not None:
            options["after"] = before
        elif name == "student" and (teacher := _teacher(out, recipe)) is not None:
            options["tokenizer"] = teacher  # one tokenizer: both read the same latents
        _launch(name, folder, options)
        before = folder


def _teacher(out: Path, recipe: LabTraining) -> Path | None:
    """Folder of the teacher that a student is made for, if there is one."""
    return out / "teacher" if recipe.teacher_seconds > 0 else _folder_before("teacher", recipe)


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
