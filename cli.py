"""The command line: which commands there are, and how errors leave the program.

Every command is a plain function in the `command.py` of its stage. Those files import typer
and rich only; what is heavy (torch, transformers) is imported inside the functions, so that
`latentcomp --help` is quick.
"""

import os
import sys
from collections.abc import Sequence

import typer

from .commands.demo import demo
from .commands.doctor import doctor
from .commands.evaluate import evaluate, lab_models, report
from .commands.extract import corpus, extract
from .commands.store import store_app
from .commands.teacher import teacher_app
from .commands.train import ablations, ship, train
from .common.errors import LatentcompError
from .common.terminal import stderr_console

# Threads of a thin model wait for each other thousands of times a second. Where the machine is
# shared, waiting long in a loop lets each hold a core that the other needs, and not waiting in a
# loop at all wakes them too late (docs/LOG-engineering.md). Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

PROGRAM = "latentcomp"
USER_ERROR = 2
INTERRUPTED = 130

app = typer.Typer(
    name=PROGRAM,
    help="Can a large model's reading of a document survive compression into a few latents?",
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(corpus)
app.command()(extract)
app.command()(train)
app.command()(evaluate)
app.command()(report)
app.command()(demo)
app.command()(lab_models)
app.command()(ablations)
app.command()(ship)
app.command()(doctor)
app.add_typer(store_app, name="store")
app.add_typer(teacher_app, name="teacher")


def main() -> None:
    """Entry point of `latentcomp` and of `python -m latentcomp`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code.

    What the user can act on becomes one line on stderr and code 2; any other exception is a
    defect of the program and keeps its traceback.
    """
    try:
        code = app(args=list(arguments) or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    except _USAGE_ERROR as error:
        return _fail(_usage_message(error))
    except LatentcompError as error:
        return _fail(str(error))
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        _say("interrupted; run the same command again to go on")
    return code if isinstance(code, int) else 0


# typer has no public name for its base class of usage errors, and where it is defined depends
# on the version.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]


def _usage_message(error: Exception) -> str:
    """The parser's complaint, with the command whose help tells more."""
    message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    path = context.command_path if context else PROGRAM
    return f"{message.rstrip('.')}; see {path} --help"


def _fail(message: str) -> int:
    _say(f"error: {' '.join(message.split())}")
    return USER_ERROR


def _say(line: str) -> None:
    stderr_console().print(line, style="red")
