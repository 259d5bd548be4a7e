"""What a sweep prints of its jobs: how many, each as it begins and ends, and the time left."""

import threading
import time

from rich.console import Console

from .jobs import FAILURE, Failure, Job, Watch


class JobLines(Watch):
    """Lines on a console; several jobs may run at once."""

    def __init__(self, console: Console) -> None:
        """Print to this console."""
        self._console = console
        self._lock = threading.Lock()
        self._to_do = self._begun = self._ended = 0
        self._since = 0.0
        self._numbers: dict[str, int] = {}

    def planned(self, what: str, present: int, to_do: int) -> None:
        """How many exist already: where a resumed sweep stands."""
        self._to_do, self._begun, self._ended = to_do, 0, 0
        self._since = time.monotonic()
        total = present + to_do
        stands = f"{present} of {total} are there, {to_do} to do" if present else f"{to_do} to do"
        if total:
            self._console.print(f"{what}: {stands if to_do else f'all {total} are there'}")

    def started(self, job: Job) -> None:
        """One line."""
        with self._lock:
            self._begun += 1
            self._numbers[job.title] = self._begun
            self._console.print(f"  {self._place(job)} {job.title}")

    def ended(self, job: Job, failure: Failure | None, seconds: float) -> None:
        """One line; in red, with the reason and where the rest of it is, where it failed."""
        with self._lock:
            self._ended += 1
            left = self._to_do - self._ended
            spent = time.monotonic() - self._since
            wait = f"; about {duration(spent / self._ended * left)} left" if left else ""
            if failure is None:
                self._console.print(f"  {self._place(job)} done in {duration(seconds)}{wait}")
                return
            line = f"  {self._place(job)} failed: {failure.reason} ({job.folder / FAILURE}){wait}"
            self._console.print(line, style="red")

    def _place(self, job: Job) -> str:
        return f"[{self._numbers[job.title]}/{self._to_do}]"


def duration(seconds: float) -> str:
    """A span of time for people: `45 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
