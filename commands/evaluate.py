"""The commands `latentcomp evaluate`, `report` and `lab-models`."""

from pathlib import Path
from typing import Annotated

import typer

from ..common.terminal import DEFAULT_RUN, RunOption, stdout_console


def evaluate(
    phase: Annotated[int, typer.Option(help="Phase whose checkpoint is measured.")] = 4,
    run: RunOption = DEFAULT_RUN,
    documents: Annotated[int, typer.Option(min=2, help="Held-out documents to generate.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the held-out documents.")] = 1,
    preset: Annotated[str, typer.Option(help="lab or qwen3-30b.")] = "lab",
    corpus: Annotated[
        Path | None,
        typer.Option(help="Measure on these documents, a folder or a JSONL file; no verdict."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Another checkpoint; no verdict is recorded then.")
    ] = None,
    teacher: Annotated[str, typer.Option(help="`lab`, a folder or a hub id.")] = "lab",
    reasoner: Annotated[
        str | None, typer.Option(help="Who answers; that of the phase by default.")
    ] = None,
    ratio: Annotated[
        float | None, typer.Option(min=1.0, help="Tokens per latent; the phase's own by default.")
    ] = None,
    teacher_only: Annotated[
        bool, typer.Option("--teacher-only", help="Only the teacher: ceiling and floor.")
    ] = False,
    arms: Annotated[
        str, typer.Option(help="Optional arms to measure too, such as summary,truncation.")
    ] = "",
    summary: Annotated[
        bool, typer.Option("--summary", help="Also answer from a summary of as many tokens.")
    ] = False,
    summaries: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The same with summaries of the text teacher."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures here too.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Documents read at once.")] = 8,
) -> None:
    """Measure what survived: greedy answers on held-out documents, with every control.

    Writes `phases/N/evaluation.json` and `answers.parquet`, unless another checkpoint is given;
    and a verdict where the run's own checkpoint meets generated documents.
    Example: `latentcomp evaluate --phase 4 --documents 200 --seed 7`
    """
    from ..evaluate.progress import arm_progress
    from ..evaluate.table import print_result, render_verdict
    from .evaluation import EvaluateRequest, evaluate_phase, evaluate_teacher

    request = EvaluateRequest(
        run=run,
        phase=phase,
        documents=documents,
        seed=seed,
        preset=preset,
        corpus=corpus,
        checkpoint=checkpoint,
        teacher=teacher,
        reasoner=reasoner,
        ratio=ratio,
        device=device,
        batch_size=batch,
        arms=(*(name for name in arms.split(",") if name), *(["summary"] if summary else [])),
        summaries=summaries,
    )
    console = stdout_console()
    verdict = None
    with arm_progress(console) as progress:
        if teacher_only:
            result = evaluate_teacher(request, progress)
        else:
            evaluation = evaluate_phase(request, progress)
            result, verdict = evaluation.result, evaluation.verdict
    print_result(result, console)
    if verdict is not None:
        console.print(render_verdict(verdict))
    if json is not None:
        result.write(json)
        console.print(f"{json}: written")


def report(run: RunOption = DEFAULT_RUN) -> None:
    """Write the run's report: one self-contained HTML page and its Markdown twin."""
    from ..report import write_report

    page = write_report(run)
    stdout_console().print(f"{page}: open it in a browser; {page.with_name('report.md')}: the same")


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
