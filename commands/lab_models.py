"""The command `latentcomp lab-models`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..common.terminal import stdout_console

_OUT = typer.Option(help="Folder for the two models and the figures.")
_DOCUMENTS = typer.Option(min=2, help="Held-out documents of each preset to measure on.")
_AFTER = typer.Option(
    help="Folder of lab models with their first stages done, as training.json counts them: train "
    "the rest only."
)
_MEASURE = typer.Option(
    "--measure",
    help="Train nothing: measure models; besides, --out, --documents, --model and --preset count.",
)
_MODEL = typer.Option(
    help="With --measure: `lab`, `lab-student` or a folder; again for more. "
    "[default: lab and lab-student, as teacher and student]",
    show_default=False,
)
_PRESET = typer.Option(
    help="Of the documents to measure on, `lab` or `long`; again for more. [default: lab]",
    show_default=False,
)


def lab_models(
    out: Annotated[Path, _OUT] = Path("runs/lab-models"),
    teacher_seconds: Annotated[
        float, typer.Option(min=0.0, help="Training time of the teacher; 0: leave it out.")
    ] = 1200.0,
    student_seconds: Annotated[
        float, typer.Option(min=0.0, help="Training time of the student; 0: leave it out.")
    ] = 400.0,
    documents: Annotated[int, _DOCUMENTS] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and documents.")] = 0,
    after: Annotated[Path | None, _AFTER] = None,
    measure: Annotated[bool, _MEASURE] = False,
    model: Annotated[list[str] | None, _MODEL] = None,
    preset: Annotated[list[str] | None, _PRESET] = None,
) -> None:
    """Train the lab teacher and student of generator 4 from nothing on every GPU, or measure some.

    The teacher: a trunk of 16 blocks (0.2 of its time), grown to 48 (0.24), then long documents too
    (0.17), then mostly those (0.25), and again (0.095), and last with questions that are to be
    guessed among them (0.045). The student: 12 blocks, two stages (0.5 each). A model is measured
    on the generator that it reads, with every day written in. The bars: 0.95 of all answers, and
    0.90 in every family and every form of answer; 0.90 of all on long documents.
    """
    from ..evaluate.progress import arm_progress
    from ..lab.make import RESULT, LabTraining, measure_lab_models, train_lab_models

    presets = list(dict.fromkeys(preset or ["lab"]))
    console = stdout_console()
    if measure:
        folders = _folders(model)
        with arm_progress(console) as progress:
            result = measure_lab_models(folders, presets, documents, out / RESULT, progress)
    else:
        first = None if after is None else str(after)
        recipe = LabTraining(teacher_seconds, student_seconds, seed, documents, first)
        result = train_lab_models(recipe, presets, out)
    for name, figures in result["models"].items():
        console.print(f"{name}: {_line(figures)}")
    console.print(f"{out / RESULT}: written")


def _folders(models: list[str] | None) -> Mapping[str, Path]:
    """By the name that a model has in the figures, its folder.

    Raises:
        LatentcompError: a model is nowhere, or two have one name.
    """
    from ..common.errors import LatentcompError
    from ..lab.make import SHIPPED_MODELS
    from ..models.files import locate_model

    if not models:
        return SHIPPED_MODELS
    folders: dict[str, Path] = {}
    for model in models:
        files = locate_model(model)
        if files.name in folders:
            raise LatentcompError(
                f"--model {model}: another one is named {files.name!r} too; "
                "measure them one after the other, with an --out of their own"
            )
        folders[files.name] = files.folder
    return folders


def _line(figures: Mapping[str, Any]) -> str:
    arms = [figures[arm]["accuracy"]["point"] for arm in ("ceiling", "floor")]
    judged = {True: "; bars met", False: "; bars not met", None: ""}[figures["bars_met"]]
    return f"{arms[0]:.3f} with the document, {arms[1]:.3f} without{judged}"
