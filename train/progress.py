"""The progress bar of a training run: step, loss, elapsed and remaining time."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ..common.bar import Bar
from .loop import Progress as OnStep
from .recipe import Budget


@contextmanager
def step_progress(console: Console, budget: Budget) -> Iterator[OnStep]:
    """A bar on the console while the block runs; call what it yields after each step."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Bar(*columns, console=console)
    total = budget.steps if budget.steps is not None else budget.seconds
    task = progress.add_task("training", total=total, shown="loading")

    def on_step(figures: dict[str, float]) -> None:
        progress.start()  # only now: before, whatever fails fails in one clean line
        done = figures["step"] if budget.steps is not None else figures["seconds"]
        shown = f"step {figures['step']:.0f}  loss {figures['loss']:.3f}"
        progress.update(task, completed=done, shown=shown)

    try:
        yield on_step
    finally:
        if progress.live.is_started:  # else a pipe would get an empty line
            progress.stop()
