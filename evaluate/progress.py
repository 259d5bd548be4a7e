"""The progress bars of an evaluation, one for each arm."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from .suite import Progress as OnDocuments


@contextmanager
def arm_progress(console: Console) -> Iterator[OnDocuments]:
    """Bars on the console while the block runs; yields a function of arm and documents done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<10}"),
        TextColumn("{task.completed:.0f} documents"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def on_documents(arm: str, documents: int) -> None:
            if arm not in tasks:
                for task in tasks.values():
                    progress.stop_task(task)
                tasks[arm] = progress.add_task(arm, total=None)
            progress.update(tasks[arm], advance=documents)

        yield on_documents
