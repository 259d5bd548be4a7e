"""Progress bar of the text teacher: finished calls, generated tokens, remaining time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ....common.bar import Bar
from .calls import Reply


@contextmanager
def reply_progress(
    console: Console,
) -> Iterator[Callable[[str, int, int], Callable[[Reply], None]]]:
    """Yields a callback for the plan, which starts the bar and returns a callback for replies.

    Without calls to make there is one line and no bar.
    """
    columns = (
        TextColumn("asking"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} calls"),
        TextColumn("{task.fields[tokens]:,} tokens written"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Bar(*columns, console=console)

    def on_plan(model: str, cached: int, missing: int) -> Callable[[Reply], None]:
        console.print(f"model {model}: {missing:,} calls to make, {cached:,} answered before")
        if not missing:
            return lambda reply: None
        progress.start()
        task = progress.add_task("asking", total=missing, tokens=0)
        written = 0

        def on_reply(reply: Reply) -> None:
            nonlocal written
            written += reply.completion_tokens or 0
            progress.update(task, advance=1, tokens=written)

        return on_reply

    try:
        yield on_plan
    finally:
        if progress.live.is_started:
            progress.stop()
