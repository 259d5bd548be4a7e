"""The command `latentcomp judge`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from ..common.terminal import DEFAULT_RUN, RunOption, stdout_console


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """Which phase is judged, on which documents."""

    phase: Annotated[int, typer.Option(help="Phase that is judged.")]
    seed: Annotated[
        int | None, typer.Option(help="Seed of the held-out documents. [default: the newest]")
    ] = None
    run: RunOption = DEFAULT_RUN

    def check(self) -> None:
        """Refuse a run and a phase that are not there. Raises: UsageError, PhaseError."""
        from ..experiment.phases import phase
        from ..experiment.present_run import require_run
        from .early import refuse_all

        refuse_all(lambda: require_run(self.run), lambda: phase(self.phase))


def judge(options: JudgeOptions) -> None:
    """Judge a phase on the evaluations that lie in the run, and record the verdict.

    Takes the trials of the phase over training seeds and those of its reference, refuses what may
    not be compared, computes the evidence from their answers and applies the gate.
    """
    from ..experiment.judge import judge_phase
    from ..experiment.run_folder import RunFolder
    from ..experiment.verdict_table import render_verdict

    verdict = judge_phase(RunFolder(options.run), options.phase, seed=options.seed)
    stdout_console().print(render_verdict(verdict))
