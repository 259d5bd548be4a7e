"""The command line: which commands there are, and how errors leave the program.

Every command stands in a file of its own in `commands/`. Those files import typer and rich only;
what is heavy (torch, transformers) is imported inside the functions, so that `latentcomp --help`
is quick.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
import typer.core

from . import __version__
from .commands.ablations import AblationOptions, ablations
from .commands.ceiling import CeilingOptions, ceiling
from .commands.compress import ask, compress
from .commands.demo import demo
from .commands.diagnose import DiagnoseOptions, diagnose
from .commands.doctor import DoctorOptions, doctor
from .commands.evaluate import EvaluateOptions, evaluate
from .commands.extract import ExtractOptions, corpus, extract
from .commands.import_corpus import import_corpus
from .commands.join import join
from .commands.judge import JudgeOptions, judge
from .commands.lab_models import lab_models
from .commands.ladder import LadderOptions, ladder
from .commands.models import models_app
from .commands.report import report
from .commands.self_answers import SelfAnswersOptions, self_answers
from .commands.store import store_app
from .commands.teacher import teacher_app
from .commands.train import ShipOptions, TrainOptions, ship, train
from .commands.utilisation import UtilisationOptions, utilisation
from .common import terminal
from .common.all_faults import UsageFault, collect_faults, shown
from .common.errors import LatentcompError
from .common.options import command
from .common.terminal import stderr_console
from .common.values import check_values

# Threads of a thin model wait for each other thousands of times a second. Where the machine is
# shared, waiting long in a loop lets each hold a core that the other needs, and not waiting in a
# loop at all wakes them too late (docs/LOG-engineering.md). Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

PROGRAM = "latentcomp"
USER_ERROR = 2
INTERRUPTED = 130


class _Program(typer.core.TyperGroup):
    """The program, whose commands refuse what no option can mean."""

    def make_context(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401  as typer's
        check_values(self)
        collect_faults(self)
        return super().make_context(*given, **named)


app = typer.Typer(
    name=PROGRAM,
    cls=_Program,
    help="Can a large model's reading of a document survive compression into a few latents?",
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_READ: Final = "Stage 1: read documents"
_EXPERIMENT: Final = "Stage 2: the experiment"
_USE: Final = "Use a compressor"
_MORE: Final = "Models, stores, checks"

app.command(rich_help_panel=_READ)(corpus)
app.command(name="import", rich_help_panel=_READ)(import_corpus)
app.command(rich_help_panel=_READ)(join)
app.command(rich_help_panel=_READ)(command(SelfAnswersOptions, self_answers))
app.command(rich_help_panel=_READ)(command(ExtractOptions, extract, ExtractOptions.check))
app.command(rich_help_panel=_EXPERIMENT)(command(TrainOptions, train, TrainOptions.check))
app.command(rich_help_panel=_EXPERIMENT)(command(EvaluateOptions, evaluate, EvaluateOptions.check))
app.command(rich_help_panel=_EXPERIMENT)(
    command(UtilisationOptions, utilisation, UtilisationOptions.check)
)
app.command(rich_help_panel=_EXPERIMENT)(command(CeilingOptions, ceiling, CeilingOptions.check))
app.command(rich_help_panel=_EXPERIMENT)(command(DiagnoseOptions, diagnose, DiagnoseOptions.check))
app.command(rich_help_panel=_EXPERIMENT)(command(JudgeOptions, judge, JudgeOptions.check))
app.command(rich_help_panel=_EXPERIMENT)(command(LadderOptions, ladder, LadderOptions.check))
app.command(rich_help_panel=_EXPERIMENT)(command(AblationOptions, ablations, AblationOptions.check))
app.command(rich_help_panel=_EXPERIMENT)(report)
app.command(rich_help_panel=_EXPERIMENT)(demo)
app.command(rich_help_panel=_USE)(compress)
app.command(rich_help_panel=_USE)(ask)
app.command(rich_help_panel=_MORE)(command(DoctorOptions, doctor, DoctorOptions.verify))
app.command(rich_help_panel=_MORE)(lab_models)
app.command(rich_help_panel=_MORE)(command(ShipOptions, ship))
app.add_typer(models_app, name="models", rich_help_panel=_MORE)
app.add_typer(store_app, name="store", rich_help_panel=_MORE)
app.add_typer(teacher_app, name="teacher", rich_help_panel=_MORE)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Log what libraries do; tracebacks of errors."),
    ] = False,
) -> None:
    """Can a large model's reading of a document survive compression into a few latents?

    Options of the program stand before the command: `latentcomp --quiet extract`. First steps:
    `latentcomp demo`, then `latentcomp extract -h`.
    """
    terminal.set_quiet(quiet)
    terminal.set_verbose(verbose)


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
    except UsageFault as error:
        return _fail(_usage_message(error), getattr(error, "__notes__", ()))
    except LatentcompError as error:
        return _fail(str(error), getattr(error, "__notes__", ()))
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


def _usage_message(error: Exception) -> str:
    """The parser's complaint, with the command whose help tells more."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else PROGRAM
    return f"{shown(error)}; see {path} --help"


def _fail(message: str, notes: Sequence[str] = ()) -> int:
    if terminal.is_verbose():
        traceback.print_exc()
    _say(f"error: {' '.join(message.split())}")
    for note in notes:
        _say(f"  {' '.join(note.split())}")
    return USER_ERROR


def _say(line: str) -> None:
    stderr_console().print(line, style="red")
