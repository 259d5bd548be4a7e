"""`latentcomp demo`: the whole pipeline on new documents, small enough for two CPU cores."""

from pathlib import Path
from typing import Annotated, Final

import typer

from ..common.terminal import stdout_console

LAB: Final = "lab"
_RUN: Final = "runs/demo"

_Run = Annotated[
    Path | None,
    typer.Option(
        "--run",
        help="Run folder: corpus, store, trials and report lie in it. [default: runs/demo, with "
        "the name of another teacher behind it]",
        show_default=False,
    ),
]
_Teacher = Annotated[
    str,
    typer.Option(
        help="`lab`, or a real model whose compressor ships, such as smollm2-135m: it reads real "
        "text."
    ),
]
_Documents = Annotated[
    int | None,
    typer.Option(
        min=8,
        help="Documents to read: of lab new ones to train on, of a real model held-out ones. "
        "[default: 64, of a real model 12]",
        show_default=False,
    ),
]
_From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Of a real model: the wheel of its text on this machine; nothing is downloaded.",
    ),
]


def demo(
    run: _Run = None,
    teacher: _Teacher = LAB,
    documents: _Documents = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Training steps, of lab. [default: 20]", show_default=False),
    ] = None,
    held_out: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Held-out documents to measure on, of lab. [default: 24]",
            show_default=False,
        ),
    ] = None,
    given: _From = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything.")] = 2026,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Generate, extract, train on from the shipped checkpoint, evaluate, report.

    With the name of a real model: real documents are read, stored, compressed by the shipped
    compressor and judged; nothing is trained. The run folder is replaced if an earlier demo made
    it, and only then. Example: `latentcomp demo --teacher smollm2-135m`
    """
    from ..common.errors import UsageError

    if teacher == LAB:
        if given is not None:
            raise UsageError(f"--from {given} is of a real model: give --teacher, or leave it out")
        _lab(run or Path(_RUN), documents or 64, steps or 20, held_out or 24, seed, device)
        return
    from .demo_real import RealDemo, real_demo

    for name, value in (("--steps", steps), ("--held-out", held_out)):
        if value is not None:
            raise UsageError(f"{name} {value} is of --teacher lab: with {teacher}, leave it out")
    folder = run or Path(f"{_RUN}-{teacher}")
    real_demo(RealDemo(teacher, folder, documents or 12, given, seed, device))


def _lab(run: Path, documents: int, steps: int, held_out: int, seed: int, device: str) -> None:
    """The lab's documents and models."""
    from ..experiment.phases import phase
    from .demo_folder import begin_folder
    from .evaluate import EvaluateOptions, evaluate
    from .extract import ExtractOptions, extract
    from .levers import shipped_levers
    from .report import report
    from .train import TrainOptions, train

    console = stdout_console()
    begin_folder(run)

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
            set=list(shipped_levers(phase(4).recipe)),
            device=device,
            skip_order=True,
        )
    )
    title(3, f"{held_out} held-out documents, names and values never seen; every control")
    evaluate(EvaluateOptions(phase=4, run=run, documents=held_out, seed=seed, device=device))
    title(4, "the report")
    report(run=run)
