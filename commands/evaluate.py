"""The command `latentcomp evaluate`."""

from typing import TYPE_CHECKING

from ..common.terminal import run_option, stdout_console
from .evaluate_options import EvaluateOptions as EvaluateOptions
from .result_files import files_of

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluate.result import EvaluationResult
    from ..experiment.run_folder import EvaluationFolder


def evaluate(options: EvaluateOptions) -> None:
    """Measure what survived: greedy answers on held-out documents, with every control.

    Every evaluation is kept in a folder of its own beside the trial. Where it completes what the
    gate of a phase asks for, the phase is judged.
    Example: `latentcomp evaluate --phase 4 --documents 200 --seed 7`
    """
    from ..evaluate.progress import arm_progress
    from ..evaluate.table import print_result
    from .evaluation import evaluate_teacher, evaluate_trials

    request, console = options.request(), stdout_console()
    kept: list[EvaluationFolder] = []
    with arm_progress(console) as progress:
        if options.teacher_only:
            results: tuple[EvaluationResult, ...] = (
                evaluate_teacher(request, progress, console.print),
            )
        else:
            results = evaluate_trials(request, progress, console.print, kept.append)
    for result in results:
        print_result(result, console)
    for folder in kept:
        console.print(f"{folder.path}: every answer and these figures")
    if options.json is not None:
        for file, result in files_of(options.json, results).items():
            result.write(file)
            console.print(f"{file}: written")
    elif not kept:
        console.print("these figures were written nowhere; --json FILE keeps them")
    judged = any(not result.unjudged for result in results)
    if options.judge and not options.teacher_only and judged:
        _judge_where_complete(options, request.recipe, console)
    if options.teacher_only:
        console.print(_after_teacher(options, results[-1]))
    elif options.checkpoint is None:
        console.print(f"now `latentcomp report{run_option(options.run)}`")


def _after_teacher(options: EvaluateOptions, result: "EvaluationResult") -> str:
    """What comes after the figures of a model alone: its states, or another model."""
    from ..evaluate.table import headroom_note

    if headroom_note(result):
        return (
            "before anything is trained: another teacher, its own prompt or other documents "
            "(docs/own.md)"
        )
    teacher = "" if options.teacher is None else f" --teacher {options.teacher}"
    corpus = "" if options.corpus is None else " --corpus OTHERS"
    of = "" if options.corpus is None else ", where OTHERS are documents to train on"
    return f"now `latentcomp extract{teacher}{corpus}{run_option(options.run)}`{of}"


def _judge_where_complete(options: EvaluateOptions, recipe: str, console: "Console") -> None:
    """A verdict on the phase of this recipe, or what is missing for one."""
    from ..common.errors import PhaseError
    from ..experiment.judge import judge_phase
    from ..experiment.phases import PHASES
    from ..experiment.run_folder import RunFolder
    from ..experiment.verdict_table import render_verdict

    for phase in PHASES:
        measured = phase.recipe.name == recipe and phase.steps == options.beginnings()
        if measured and not phase.grid:
            try:
                verdict = judge_phase(RunFolder(options.run), phase.number, seed=options.seed)
            except PhaseError as error:
                console.print(f"no verdict yet: {error}")
            else:
                console.print(render_verdict(verdict))
