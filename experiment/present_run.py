"""Whether a run folder is there: a mistyped one is neither made nor passes for another."""

from difflib import get_close_matches
from pathlib import Path
from typing import Final

from ..common.errors import UsageError
from ..common.terminal import DEFAULT_RUN

_PARTS: Final = ("corpus", "store", "trials", "phases", "verdicts")
"""By any of these a folder is known as that of a run."""
_LISTED: Final = 5
SHIPPED_INSTEAD: Final = "to measure the shipped checkpoint"
TEACHER_INSTEAD: Final = "to measure the lab teacher, or the one that --teacher names"
"""What commands that measure do without a run."""


def require_run(run: Path, without: str = "") -> None:
    """Refuse a run folder that is not there.

    Args:
        run: as it was given with `--run`.
        without: what a command does that names no run and finds none in the default folder, such
            as "to measure the shipped checkpoint"; empty where it does nothing then.

    Raises:
        UsageError: names the folder, and those beside it that are there.
    """
    if run.is_dir() or (without and run == DEFAULT_RUN):
        return
    step = f"give --run with one that is there{_beside(run)}"
    if without:
        step += f", or leave it out {without}"
    elif run == DEFAULT_RUN:
        step += ", or begin with `latentcomp extract`"
    raise UsageError(f"{run}: there is no such run folder; {step}")


def _beside(run: Path) -> str:
    """Run folders in the same place; the one whose name is nearest comes alone."""
    if not run.parent.is_dir():
        return ""
    names = sorted(path.name for path in run.parent.iterdir() if _is_run(path))
    names = get_close_matches(run.name, names, 1) or names
    if not names:
        return ""
    more = ", ..." if len(names) > _LISTED else ""
    return f" ({', '.join(str(run.parent / name) for name in names[:_LISTED])}{more})"


def _is_run(path: Path) -> bool:
    return any((path / part).is_dir() for part in _PARTS)
