"""A progress bar that a log can be read by too: without a terminal, a line every minute."""

from datetime import timedelta
from typing import Any, Final

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from .terminal import stderr_console

LINE_EVERY: Final = 60.0
"""Seconds between two lines."""
_NOT_IN_A_LINE: Final = (BarColumn, SpinnerColumn, TimeElapsedColumn, TimeRemainingColumn)


class Bar(Progress):
    """A bar of rich. Where its console is no terminal, such as in the log of a job, what it would
    show is a line on stderr every minute, with the time that is gone and the time that is left."""

    _first: tuple[float, float] | None = None
    """When the first update came, and what was done then."""
    _last_line = 0.0
    """When the last line was written, or the first update came."""

    def update(self, task_id: TaskID, **changes: Any) -> None:  # noqa: ANN401
        """Move the bar; takes what `rich.progress.Progress.update` takes."""
        super().update(task_id, **changes)
        if self.console.is_terminal:
            return
        (task,) = (each for each in self.tasks if each.id == task_id)
        now = self.get_time()
        if self._first is None:
            self._first, self._last_line = (now, task.completed), now
        if now - self._last_line >= LINE_EVERY:
            self._last_line = now
            stderr_console().print(self._line(task, now, *self._first))

    def _line(self, task: Task, now: float, began: float, done: float) -> str:
        """What the bar shows of a task, in words.

        The time left is by the mean rate since the first update: rich's own is of the last half
        minute, and of nothing where updates are rarer.
        """
        columns = [each for each in self.columns if isinstance(each, ProgressColumn)]
        shown = [each.render(task) for each in columns if not isinstance(each, _NOT_IN_A_LINE)]
        words = [each.plain.strip() for each in shown if isinstance(each, Text)]
        gone = now - began
        left = "?"
        if task.total is not None and task.completed > done:
            left = _clock(gone * (task.total - task.completed) / (task.completed - done))
        return f"{'  '.join(filter(None, words))}  {_clock(gone)} gone, {left} left"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))
