"""The run folder of a demo: its own, so that the next demo may replace it."""

import shutil
from pathlib import Path
from typing import Final

from ..common import atomic
from ..common.errors import LatentcompError

MARK: Final = "demo"
"""File in a run folder that a demo made, and may therefore replace."""


def begin_folder(run: Path) -> None:
    """An empty run folder with the mark in it, whatever an earlier or killed demo left.

    Raises:
        LatentcompError: the folder is not of a demo, or it cannot be written.
    """
    if run.exists():
        if not (run / MARK).exists() and any(run.iterdir()):
            raise LatentcompError(f"{run} is not of an earlier demo; give another --run")
        with atomic.disk_errors(run):
            _empty(run)
    atomic.write_text(run / MARK, "made by `latentcomp demo`, which may replace it\n")


def _empty(run: Path) -> None:
    """Remove all but the mark: who is killed here finds it again."""
    for path in run.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARK:
            path.unlink()
