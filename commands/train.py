"""The commands `latentcomp train` and `latentcomp ship`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..common.terminal import DEFAULT_RUN, RunOption, stdout_console
from .train_options import TrainOptions as TrainOptions

if TYPE_CHECKING:
    from ..train.run import Run


def train(options: TrainOptions) -> None:
    """Train one trial: the recipe of a phase, or another one, with one seed.

    Checkpoints, curve and TensorBoard files go to `trials/RECIPE/seed-K` of the run folder. Killed
    and started again with the same options, it goes on to the same weights. Example:
    `latentcomp train --phase 4 --skip-order --set model.time=false --name no-time`
    """
    from ..experiment.run_folder import RunFolder
    from ..experiment.suggest import evaluate_command
    from ..train.progress import step_progress
    from .costs import resumed, smoke_test, training_cost
    from .trials import train_trial

    request = options.request()
    console, begun = stdout_console(), []

    def on_begin(run: "Run", step: int) -> None:
        begun.append(step)
        if run.accelerator.is_main_process:
            console.print(training_cost(run, step))
            if step:
                console.print(resumed(run, step))

    with step_progress(console, request.trained.budget) as on_step:
        folder = train_trial(request, on_step, on_begin)
    then = evaluate_command(RunFolder(options.run), recipe=folder.recipe)
    done = "trained" if begun else "was trained to its end before, and nothing was done"
    console.print(f"{folder.path}: {done}; now `{then}`")
    if request.start == "fresh" and (warning := smoke_test(request.trained)):
        console.print(warning, style="yellow")


@dataclass(frozen=True, kw_only=True)
class ShipOptions:
    """Which checkpoint is to be shipped."""

    recipe: Annotated[str, typer.Option(help="Recipe of the trial.")]
    seed: Annotated[int, typer.Option(help="Its training seed.")] = 0
    run: RunOption = DEFAULT_RUN
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"],
        typer.Option(help="Precision of the weights in the package."),
    ] = "float32"


def ship(options: ShipOptions) -> None:
    """Put a trained checkpoint, without its optimiser, into the package.

    That of a fetched model becomes the compressor of this model (`latentcomp demo --teacher`).
    Example: `latentcomp ship --run runs/real --recipe real-text --dtype float16`
    """
    from ..experiment.present_run import require_run

    require_run(options.run)
    from ..experiment.shipped import REAL
    from .shipping import ship_checkpoint

    folder = ship_checkpoint(options.run, options.recipe, options.seed, options.dtype)
    step = f"in a run without such a trial, `latentcomp evaluate --recipe {options.recipe}`"
    if folder.is_relative_to(REAL):
        step = f"now `latentcomp demo --teacher {folder.parent.name}`"
    stdout_console().print(f"{folder}: shipped; {step}")
