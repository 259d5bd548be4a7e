"""`latentcomp demo`: the whole pipeline on new documents, small enough for two CPU cores."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ..common.errors import LatentcompError
from ..common.terminal import RunOption, stdout_console

MARK = "demo"
"""Empty file in a run folder that the demo made, and may therefore replace."""


def demo(
    run: RunOption = Path("runs/demo"),
    documents: Annotated[
        int, typer.Option(min=8, help="New documents to extract and to train on.")
    ] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 20,
    held_out: Annotated[int, typer.Option(min=2, help="Held-out documents to measure on.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 2026,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Generate, extract, train on from the shipped checkpoint, evaluate, report.

    The run folder is replaced if an earlier demo made it, and only then.
    """
    from ..common import atomic
    from .evaluate import EvaluateOptions, evaluate
    from .extract import ExtractOptions, extract
    from .report import report
    from .train import TrainOptions, train

    console = stdout_console()
    if run.exists():
        if not (run / MARK).exists():
            raise LatentcompError(f"{run} is not of an earlier demo; give another --run")
        shutil.rmtree(run)
    atomic.write_text(run / MARK, "made by `latentcomp demo`, which may replace it\n")

    def title(number: int, text: str) -> None:
        console.print(f"\n[{number}/4] {text}", style="bold")

    title(1, f"{documents} new documents; the lab teacher reads them into the store")
    extract(
        ExtractOptions(
            run=run,
            split="train",
            documents=documents,
            seed=seed,
            device=device,
            backend="transformers",  # vLLM would keep its memory while the same process trains
        )
    )
    title(2, f"phase 4 goes on from the shipped checkpoint for {steps} steps")
    train(
        TrainOptions(
            phase=4,
            run=run,
            steps=steps,
            batch_size=4,
            lr=1e-4,
            warmup_steps=4,
            seed=seed,
            start="shipped",
            device=device,
            skip_order=True,
        )
    )
    title(3, f"{held_out} held-out documents, names and values never seen; every control")
    evaluate(EvaluateOptions(phase=4, run=run, documents=held_out, seed=seed, device=device))
    title(4, "the report")
    report(run=run)
