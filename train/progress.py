"""The progress bar of a training run: step, loss, elapsed and remaining time."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from .loop import Progress as OnStep
from .plan import TrainPlan


@contextmanager
def step_progress(console: Console, plan: TrainPlan) -> Iterator[OnStep]:
    """Show a progress bar; yields the callback that receives the figures of every step."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console)
    total = plan.steps if plan.steps is not None else plan.seconds
    task = progress.add_task("training", total=total, shown="loading")

    def update(figures: dict[str, float]) -> None:
        progress.start()  # not earlier: an error before the first step prints one clean line
        done = figures["step"] if plan.steps is not None else figures["seconds"]
        shown = f"step {figures['step']:.0f}  loss {figures['loss']:.3f}"
        progress.update(task, completed=done, shown=shown)

    try:
        yield update
    finally:
        progress.stop()
