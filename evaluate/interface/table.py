"""The interface ceiling as a table for the terminal, and its progress bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ...common.bar import Bar
from ..numbers import figure, span
from .measure import OPTIMISED, SHUFFLED, START
from .result import InterfaceResult, Side

_ARMS = ("ceiling", "floor", SHUFFLED, START)
OnUnit = Callable[[str, int, int, float], None]
"""(what runs, steps done, steps in all, loss) after every step."""


def print_interface(result: InterfaceResult, console: Console) -> None:
    """Two rows a ratio: the questions that the optimisation saw, and those held out of it."""
    table = Table(
        title=f"interface of {result.reasoner.name}: {result.documents} documents, "
        f"{result.settings.steps} steps",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("ratio", no_wrap=True)
    table.add_column("questions", no_wrap=True)
    for header in ("n", *_ARMS, f"{OPTIMISED} [95 %]", "loss"):
        table.add_column(header, justify="right", no_wrap=True)
    for name, ratio in result.ratios.items():
        loss = figure(ratio.curve[-1][1]) if ratio.curve else ""
        table.add_row(f"{name}x", "seen", *_cells(ratio.optimised_for), loss)
        if ratio.held_out is not None:
            table.add_row("", "held out", *_cells(ratio.held_out), "")
    console.print(table)
    for note in result.notes:
        console.print(note, style="yellow")


def _cells(side: Side) -> list[str]:
    accuracy = side.overall.accuracy
    points = [figure(accuracy[arm].point) for arm in _ARMS]
    return [str(side.overall.questions), *points, span(accuracy[OPTIMISED])]


@contextmanager
def unit_progress(console: Console) -> Iterator[OnUnit]:
    """A bar over all optimisation steps that are left; call what it yields after each step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Bar(*columns, console=console, transient=True)
    task = progress.add_task("", total=None, shown="")

    def on_unit(what: str, done: int, total: int, loss: float) -> None:
        progress.start()  # only now: before, whatever fails fails in one clean line
        shown = f"step {done:,}/{total:,}  loss {loss:.3f}"
        progress.update(task, description=what, completed=done, total=total, shown=shown)

    try:
        yield on_unit
    finally:
        if progress.live.is_started:  # else a pipe would get an empty line
            progress.stop()
