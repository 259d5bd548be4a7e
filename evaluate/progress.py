"""The progress bar of an evaluation: arm, documents of all arms, rate and remaining time."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ..common.bar import Bar
from .suite import PLANNED
from .suite import Progress as OnDocuments


class _Done(ProgressColumn):
    """Documents of all arms, and how many there will be where that is known."""

    def render(self, task: Task) -> Text:
        planned = "" if task.total is None else f"/{task.total:.0f}"
        return Text(f"{task.completed:.0f}{planned} documents x arms")


class _Rate(ProgressColumn):
    """Documents per second since the beginning, an arm's documents counted for each arm."""

    def render(self, task: Task) -> Text:
        rate = task.completed / task.elapsed if task.elapsed else 0.0
        return Text(f"{rate:,.1f}/s", style="progress.data.speed")


@contextmanager
def arm_progress(console: Console) -> Iterator[OnDocuments]:
    """A bar on the console while the block runs; yields a function of arm and documents done.

    Several checkpoints are measured one after the other: each adds to what is planned.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[arm]:<10}"),
        BarColumn(bar_width=None),
        _Done(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = progress.add_task("evaluating", total=None, arm="loading", start=False)

    def on_documents(arm: str, documents: int) -> None:
        if progress.tasks[0].start_time is None:
            progress.start()  # only now: before, whatever fails fails in one clean line
            progress.start_task(task)
        if arm == PLANNED:
            progress.update(task, total=(progress.tasks[0].total or 0) + documents)
        else:
            progress.update(task, advance=documents, arm=arm)

    try:
        yield on_documents
    finally:
        if progress.live.is_started:  # else a pipe would get an empty line
            progress.stop()
