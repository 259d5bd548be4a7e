"""Progress bar of an extraction: documents, tokens per second, remaining time."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ..common.bar import Bar
from .batches import DocumentBatch


class TokenProgress:
    """Updates one rich progress bar by documents and tokens."""

    def __init__(self, progress: Progress, documents: int, computed_tokens: int) -> None:
        """Show a bar that is full after `computed_tokens` tokens."""
        self._progress = progress
        self._task = progress.add_task("extracting", total=computed_tokens, done=0, of=documents)
        self._documents = 0

    def read(self, batch: DocumentBatch) -> None:
        """Count a batch that was read."""
        self._documents += len(batch.indices)
        self._progress.update(self._task, advance=batch.padded_tokens, done=self._documents)


class TokenRate(ProgressColumn):
    """Tokens per second since the beginning.

    Not the speed that rich computes: that is of the last updates, which at the end of a short run
    come at once, and then says millions.
    """

    def render(self, task: Task) -> Text:
        rate = task.completed / task.elapsed if task.elapsed else 0.0
        return Text(f"{rate:,.0f} tokens/s", style="progress.data.speed")


@contextmanager
def token_progress(
    console: Console, documents: int, computed_tokens: int
) -> Iterator[TokenProgress]:
    """A progress bar on the console while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}/{task.fields[of]} documents"),
        TokenRate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as progress:
        yield TokenProgress(progress, documents, computed_tokens)
