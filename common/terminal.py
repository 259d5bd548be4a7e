"""The terminal: one way to print, and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

RunOption = Annotated[
    Path, typer.Option("--run", help="Run folder: corpus, store, phases and report lie in it.")
]
DEFAULT_RUN = Path("runs/lab")


def stdout_console() -> Console:
    """A console for results; text is printed as it is: no markup, no wrapping of long lines."""
    return Console(markup=False, emoji=False, highlight=False, soft_wrap=True)


def stderr_console() -> Console:
    """The same for errors."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)
