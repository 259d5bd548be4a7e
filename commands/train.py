"""The command `latentcomp train`."""

from typing import Annotated

import typer

from ..common.terminal import DEFAULT_RUN, RunOption, stdout_console


def train(
    phase: Annotated[int, typer.Option(help="Phase of the ladder, 1 to 8.")],
    run: RunOption = DEFAULT_RUN,
    steps: Annotated[
        int, typer.Option(min=1, help="Optimiser steps in all; a killed run goes on to it.")
    ] = 200,
    seconds: Annotated[
        float | None,
        typer.Option(min=1.0, help="Wall-clock budget instead of --steps; not resumable exactly."),
    ] = None,
    documents: Annotated[
        int, typer.Option(min=1, help="Documents of one step of one process.")
    ] = 8,
    rate: Annotated[float, typer.Option(min=0.0, help="Peak learning rate.")] = 3e-4,
    warm_up: Annotated[int, typer.Option(min=0, help="Steps of linear warm-up.")] = 10,
    question_tokens: Annotated[
        int, typer.Option(min=16, help="Tokens of questions asked about each document.")
    ] = 256,
    flat_until: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of the run after which the rate falls."),
    ] = 0.5,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 25,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, order and questions.")] = 0,
    start: Annotated[
        str,
        typer.Option(
            metavar="auto|fresh|shipped|PATH",
            help="Weights to begin with; auto: the shipped ones where they fit, else fresh ones.",
        ),
    ] = "fresh",
    reasoner: Annotated[
        str | None, typer.Option(help="`lab`, `lab-student`, a folder or a hub id.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    live: Annotated[
        bool, typer.Option("--live", help="New documents in every step, no store (for a GPU).")
    ] = False,
    resident: Annotated[
        bool,
        typer.Option("--resident", help="Keep the store's states on the device; they must fit."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that make batches from the store; 0: a thread. "
            "[default: up to 4 on a GPU, else 0]",
        ),
    ] = None,
    skip_order: Annotated[
        bool,
        typer.Option(
            "--skip-order", help="Start without the verdicts before; recorded in what follows."
        ),
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw an earlier run of this phase away.")
    ] = False,
) -> None:
    """Train the compressor of a phase from the run's store.

    Checkpoints, curve and TensorBoard files go to `phases/N` of the run folder. Killed and
    started again with the same options, it goes on to the same weights. Example:
    `latentcomp train --phase 4 --steps 300`
    """
    from ..train.plan import TrainPlan
    from ..train.progress import step_progress
    from .training import TrainRequest, train_phase

    plan = TrainPlan(
        steps=steps if seconds is None else None,
        seconds=seconds,
        documents=documents,
        question_positions=question_tokens,
        rate=rate,
        warm_up=warm_up,
        flat_until=flat_until,
        save_every=save_every,
        seed=seed,
    )
    request = TrainRequest(
        run=run,
        phase=phase,
        plan=plan,
        reasoner=reasoner,
        start=start,
        device=device,
        live=live,
        resident=resident,
        workers=workers,
        skip_order=skip_order,
        restart=restart,
    )
    console = stdout_console()
    with step_progress(console, plan) as on_step:
        folder = train_phase(request, on_step)
    console.print(f"{folder}: trained; now `latentcomp evaluate --phase {phase} --run {run}`")


def ship(
    phase: Annotated[int, typer.Option(help="Phase whose checkpoint is to be shipped.")],
    run: RunOption = DEFAULT_RUN,
) -> None:
    """Put a trained checkpoint, without its optimiser, into the package."""
    from .training import ship_checkpoint

    folder = ship_checkpoint(run, phase)
    stdout_console().print(f"{folder}: shipped; evaluate it with `latentcomp evaluate`")


def ablations(run: RunOption = DEFAULT_RUN) -> None:
    """Run the pre-registered ablations of phase 7 (`make ablations`)."""
    from ..train.plan import TrainPlan
    from .training import TrainRequest, train_phase

    plan = TrainPlan(steps=1, documents=1, rate=1e-4, warm_up=0)
    train_phase(TrainRequest(run=run, phase=7, plan=plan))
