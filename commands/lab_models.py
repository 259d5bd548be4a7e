"""The command `latentcomp lab-models`."""

from pathlib import Path
from typing import Annotated

import typer

from ..common.terminal import stdout_console


def lab_models(
    out: Annotated[Path, typer.Option(help="Folder for the two models and the figures.")] = Path(
        "runs/lab-models"
    ),
    teacher_seconds: Annotated[
        float, typer.Option(min=0.0, help="Training time of the teacher; 0: leave it out.")
    ] = 1200.0,
    student_seconds: Annotated[
        float, typer.Option(min=0.0, help="Training time of the student; 0: leave it out.")
    ] = 120.0,
    documents: Annotated[int, typer.Option(min=2, help="Held-out documents to measure on.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and documents.")] = 0,
    after: Annotated[
        Path | None,
        typer.Option(help="Folder of lab models that did the first stage: train the rest only."),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Train nothing: measure the models that ship; of the rest only --out and "
            "--documents count.",
        ),
    ] = False,
) -> None:
    """Train the lab teacher and student from scratch on every GPU, or measure those that ship."""
    from ..evaluate.progress import arm_progress
    from ..lab.make import RESULT, SHIPPED_MODELS, LabTraining, measure_lab_models, train_lab_models

    if measure:
        with arm_progress(stdout_console()) as progress:
            result = measure_lab_models(SHIPPED_MODELS, documents, out / RESULT, progress=progress)
    else:
        recipe = LabTraining(
            teacher_seconds, student_seconds, seed, documents, None if after is None else str(after)
        )
        result = train_lab_models(recipe, out)
    console = stdout_console()
    for name, model in result["models"].items():
        ceiling, floor = model["ceiling"]["accuracy"]["point"], model["floor"]["accuracy"]["point"]
        bars = "bars met" if model["bars_met"] else "bars not met"
        console.print(f"{name}: {ceiling:.3f} with the document, {floor:.3f} without; {bars}")
    console.print(f"{out / RESULT}: written")
