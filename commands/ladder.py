"""The command `latentcomp ladder`: the phases in their order, trained, evaluated and judged."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ..common.options import Dtype
from ..common.terminal import DEFAULT_RUN, RunOption, run_option, stdout_console

if TYPE_CHECKING:
    from rich.console import Console

    from ..experiment.phases import Phase
    from ..experiment.verdict import Verdict
    from .sweep import Sweep


@dataclass(frozen=True, kw_only=True)
class LadderOptions:
    """How far, and how large."""

    through: Annotated[int, typer.Option(help="Last phase.")] = 4
    size: Annotated[str, typer.Option(help="tiny, laptop or lab.")] = "laptop"
    run: RunOption = DEFAULT_RUN
    seeds: Annotated[
        int | None, typer.Option(help="Training seeds of every phase; those of the size.", min=1)
    ] = None
    documents: Annotated[
        int | None, typer.Option(help="Held-out documents; those of the size.", min=2)
    ] = None
    seed: Annotated[
        int,
        typer.Option(help="Of held-out documents: phase N is measured on SEED + N.", min=0),
    ] = 5000
    teacher: Annotated[str, typer.Option(help="`lab`, a folder or a hub id.")] = "lab"
    reasoner: Annotated[
        str | None, typer.Option(help="Who answers; that of each recipe by default.")
    ] = None
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto"
    batch_size: Annotated[
        int, typer.Option(help="Documents read at once in an evaluation.", min=1)
    ] = 8
    jobs: Annotated[
        int, typer.Option(help="Trainings, and evaluations, that share a GPU.", min=1)
    ] = 1
    dtype: Annotated[
        Dtype,
        typer.Option(help="Of the frozen models in trainings (recorded), as `train --dtype`."),
    ] = "auto"

    def check(self) -> None:
        """Refuse a size and models that there are not, or a run without the store that is needed.

        Raises: UsageError, TeacherError, StoreError.
        """
        from ..experiment.catalogue import size_named
        from .early import check_input, refuse_all

        refuse_all(
            lambda: size_named(self.size),
            lambda: check_input(None, self.teacher, self.reasoner),
        )
        self._check_stores()

    def _check_stores(self) -> None:
        """One line now instead of a failure for every seed of a phase."""
        from ..experiment.catalogue import size_named
        from ..experiment.phases import PHASES
        from .early_store import check_store

        for phase in PHASES:
            if phase.number <= self.through and not phase.grid:
                check_store(size_named(self.size).of(phase.recipe), self.run)

    def sweep(self) -> "Sweep":
        """What is the same for every phase."""
        from ..experiment.catalogue import size_named
        from .sweep import Sweep

        size = size_named(self.size)
        return Sweep(
            run=self.run,
            size=size,
            seeds=tuple(range(self.seeds or size.seeds)),
            device=self.device,
            reasoner=self.reasoner,
            teacher=self.teacher,
            batch_size=self.batch_size,
            jobs=self.jobs,
            dtype=self.dtype,
            # A size without verdicts could never open the next phase.
            skip_order=not size.gated,
        )


def ladder(options: LadderOptions) -> None:
    """Run the phases in their order: train every seed, evaluate, judge, and only then go on.

    Killed and started again, it goes on where it stopped. A phase that was judged on the weights
    that lie there is not judged again. Example: `latentcomp ladder --size lab --through 4`
    """
    from ..experiment.order import standing_verdict
    from ..experiment.phases import PHASES
    from ..experiment.run_folder import RunFolder
    from ..experiment.verdict_table import render_verdict

    console, sweep = stdout_console(), options.sweep()
    for phase in PHASES:
        if phase.number > options.through:
            break
        console.print(f"\nphase {phase.number}, {phase.title}: {phase.question}", style="bold")
        if phase.lacks:
            console.print(f"not in this version: it needs {phase.lacks}")
            break
        verdict = standing_verdict(RunFolder(options.run), phase.number)
        if verdict is None or verdict.thin:
            verdict = _run_phase(options, sweep, phase, console)
        if verdict is None:
            console.print(f"phase {phase.number} is not judged: the same command goes on from here")
            raise typer.Exit(1)
        console.print(render_verdict(verdict))
    console.print(f"\nnow `latentcomp report{run_option(options.run)}`")


def _run_phase(
    options: LadderOptions, sweep: "Sweep", phase: "Phase", console: "Console"
) -> "Verdict | None":
    """The verdict on a phase, or None where a training or an evaluation failed."""
    from ..experiment.ablations import ABLATIONS, ablated
    from ..experiment.judge import judge_phase
    from ..experiment.phases import phase as phase_numbered
    from ..experiment.run_folder import RunFolder
    from ..experiment.siblings import arms_needed
    from .job_lines import JobLines
    from .sweep import evaluate_all, measuring_jobs, train_all

    watch = JobLines(console)
    recipes = [phase.recipe.name]
    if phase.grid:
        recipes = [ablated(name).name for name in ABLATIONS]
    reference = []
    if phase.reference is not None:
        reference.append(phase_numbered(phase.reference).recipe.name)
    documents, seed = options.documents or sweep.size.documents, options.seed + phase.number
    steps, arms = phase.steps, arms_needed(phase.number)
    # What the phase is compared with is trained already: it is measured meanwhile.
    _, beside = measuring_jobs(sweep, reference, documents, seed, steps, arms)
    failures = [
        *train_all(sweep, recipes, watch, beside),
        *evaluate_all(sweep, [*recipes, *reference], documents, seed, watch, steps, arms),
    ]
    if failures and not phase.grid:
        return None
    return judge_phase(RunFolder(options.run), phase.number, seed=seed)
