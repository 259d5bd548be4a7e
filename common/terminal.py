"""The terminal: one way to print, and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

RunOption = Annotated[
    Path, typer.Option("--run", help="Run folder: corpus, store, trials and report lie in it.")
]
DEFAULT_RUN = Path("runs/lab")


_quiet = False


def set_quiet(quiet: bool) -> None:
    """Whether results are printed at all; errors always are."""
    global _quiet
    _quiet = quiet


def stdout_console() -> Console:
    """A console for results; text is printed as it is: no markup, no wrapping of long lines."""
    return Console(markup=False, emoji=False, highlight=False, soft_wrap=True, quiet=_quiet)


def stderr_console() -> Console:
    """The same for errors."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def run_option(run: Path) -> str:
    """The option that names a run folder, for suggested commands; empty for the default."""
    return "" if run == DEFAULT_RUN else f" --run {run}"
