"""The terminal: one way to print, and options that several commands share."""

import logging
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

RunOption = Annotated[
    Path, typer.Option("--run", help="Run folder: corpus, store, trials and report lie in it.")
]
DEFAULT_RUN = Path("runs/lab")


def option(panel: str, help: str, *names: str, **more: Any) -> Any:  # noqa: ANN401  typer's
    """A command-line option under a heading of the help text.

    Args:
        panel: the heading.
        help: one line.
        names: on the command line; from the field's name if none are given.
        more: as `typer.Option` takes them.
    """
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


_quiet = False
_verbose = False


def set_quiet(quiet: bool) -> None:
    """Whether results are printed at all; errors always are."""
    global _quiet
    _quiet = quiet


def set_verbose(verbose: bool) -> None:
    """Whether libraries log what they do, and errors keep their tracebacks."""
    global _verbose
    _verbose = verbose
    if verbose:
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
        os.environ["TRANSFORMERS_VERBOSITY"] = "info"  # read when transformers is imported


def is_verbose() -> bool:
    """What `set_verbose` was told last."""
    return _verbose


def stdout_console() -> Console:
    """A console for results; text is printed as it is: no markup, no wrapping of long lines."""
    return Console(markup=False, emoji=False, highlight=False, soft_wrap=True, quiet=_quiet)


def stderr_console() -> Console:
    """The same for errors."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def run_option(run: Path) -> str:
    """The option that names a run folder, for suggested commands; empty for the default."""
    return "" if run == DEFAULT_RUN else f" --run {run}"
