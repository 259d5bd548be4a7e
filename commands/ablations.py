"""The command `latentcomp ablations`: phase 7, one part left out at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..common.options import Dtype
from ..common.terminal import RunOption, stdout_console

if TYPE_CHECKING:
    from rich.table import Table

    from ..experiment.grid_result import GridResult, GridRow
    from ..experiment.run_folder import RunFolder
    from .sweep import Sweep

TINY_RUN = Path("runs/ablations")
TINY_DOCUMENTS = 16
"""Documents of the store that a tiny grid trains on, where its run has none."""


@dataclass(frozen=True, kw_only=True)
class AblationOptions:
    """How large the grid is, and where."""

    size: Annotated[
        str, typer.Option(help="tiny: minutes on two cores; lab: the published one.")
    ] = "tiny"
    run: RunOption = TINY_RUN
    seeds: Annotated[int | None, typer.Option(help="Training seeds; those of the size.", min=1)] = (
        None
    )
    documents: Annotated[
        int | None, typer.Option(help="Held-out documents; those of the size.", min=2)
    ] = None
    seed: Annotated[int, typer.Option(help="Of the held-out documents.", min=0)] = 7007
    teacher: Annotated[str, typer.Option(help="`lab`, a folder or a hub id.")] = "lab"
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto"
    reasoner: Annotated[
        str | None, typer.Option(help="Who answers; that of each recipe by default.")
    ] = None
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
    skip_order: Annotated[
        bool,
        typer.Option("--skip-order", help="Before its turn; recorded in what follows."),
    ] = False

    def check(self) -> None:
        """Refuse a size and models that there are not. Raises: UsageError, TeacherError."""
        from ..experiment.catalogue import size_named
        from .early import check_input, refuse_all

        refuse_all(
            lambda: size_named(self.size),
            lambda: check_input(None, self.teacher, self.reasoner),
        )

    def sweep(self) -> "Sweep":
        """What is the same for every row."""
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
            # No verdict rests on the tiny grid, so it waits for none.
            skip_order=self.skip_order or not size.gated,
        )


def ablations(options: AblationOptions) -> None:
    """Run the pre-registered ablations: one change a row, against the recipe of phase 5.

    Rows that are there already are not run again, and one that fails is shown as failed and stops
    no other. Prints the table; table, plot and figures go to the run folder.
    """
    from ..experiment.ablations import ablated, rows
    from ..experiment.grid_result import read_grid, write_grid
    from ..experiment.phases import PHASES, phase
    from ..experiment.run_folder import RunFolder
    from ..experiment.suggest import judge_command
    from ..report.grid_figure import write_figure
    from .job_lines import JobLines
    from .sweep import evaluate_all, train_all

    console, sweep, run = stdout_console(), options.sweep(), RunFolder(options.run)
    grid = next(each for each in PHASES if each.grid)
    assert grid.reference is not None
    names = [phase(grid.reference).recipe.name, *(ablated(row).name for row in rows())]
    if sweep.size.gated:
        _check_turn(options, sweep, run, grid.number)
    else:
        _prepare(options, run)
    documents = options.documents or sweep.size.documents

    seeds = f"{len(sweep.seeds)} {'seed' if len(sweep.seeds) == 1 else 'seeds'}"
    console.print(f"{len(names)} recipes x {seeds} at the size {sweep.size.name}")
    watch = JobLines(console)
    failures = [
        *train_all(sweep, names, watch),
        *evaluate_all(sweep, names, documents, options.seed, watch),
    ]
    result = read_grid(run, documents, options.seed)
    if result is None:
        _no_full_recipe(names[0], [f"{each.title}: {each.reason}" for each in failures])
        return
    console.print(render_grid(result, verdicts=sweep.size.gated))
    figures, plot = write_grid(result, run.path), write_figure(result, run.path)
    console.print(f"{figures}: the table; {plot}: the plot")
    if failures:
        again = "mend what made them fail and run the same command again: it repeats only these"
        console.print(f"{len(failures)} failed; {again}", style="red")
    if sweep.size.gated:
        console.print(f"now `{judge_command(run, grid.number, options.seed)}`")


def _check_turn(options: AblationOptions, sweep: "Sweep", run: "RunFolder", number: int) -> None:
    """Refuses in one line, before the first training, what every training would refuse."""
    from ..common.errors import StoreError
    from ..experiment.ablations import layers_of_grid
    from ..experiment.order import require, standing_verdicts
    from ..experiment.phases import phase
    from ..experiment.suggest import teacher_of_run
    from ..models.files import identify_model, locate_model

    recipe = sweep.size.of(phase(number).recipe)
    if recipe.data.source == "live":
        teacher = identify_model(locate_model(options.teacher))
    elif (run.store / "seal.json").exists():
        teacher = teacher_of_run(run) or identify_model(locate_model(options.teacher))
    else:
        raise StoreError(
            f"{run.store}: no finished store, and the size {sweep.size.name} trains from one; run "
            f"`latentcomp extract --layers {','.join(map(str, layers_of_grid()))} --run {run.path}`"
        )
    verdicts = standing_verdicts(run, teacher.weights_sha256)
    require(number, verdicts, run=run, skip=options.skip_order)


def _no_full_recipe(name: str, reasons: Sequence[str]) -> None:
    from ..common.errors import LatentcompError

    why = reasons[0] if reasons else "it was not measured"
    raise LatentcompError(f"{name}, which every row is compared with: {why}; mend it, run again")


def _prepare(options: AblationOptions, run: "RunFolder") -> None:
    """A small store for the tiny grid, where there is none."""
    from ..experiment.ablations import layers_of_grid
    from .extract import ExtractOptions, extract

    if not (run.store / "seal.json").exists():
        extract(
            ExtractOptions(
                run=options.run,
                split="train",
                documents=TINY_DOCUMENTS,
                layers=",".join(map(str, layers_of_grid())),
                seed=options.seed,
                teacher=options.teacher,
                device=options.device,
                backend="transformers",
            )
        )


def render_grid(result: "GridResult", *, verdicts: bool) -> "Table":
    """The grid as a table of the terminal."""
    from rich import box
    from rich.table import Table

    count = len(result.seeds)
    mean = sum(result.retention) / len(result.retention)
    title = (
        f"{result.full}: retention {mean:.3f}; {result.documents} documents of seed {result.seed}, "
        f"{count} training {'seed' if count == 1 else 'seeds'}"
        + ("" if verdicts else "; far too small for a verdict")
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for header in ("ablation", "retention", "drop [simultaneous 95 %]", "p (Holm)", "", "changes"):
        table.add_column(header, no_wrap=header != "changes")
    for row in result.rows:
        table.add_row(row.name, _kept(row), _drop(row), _p(row), _says(row), _changes(row))
    return table


def _kept(row: "GridRow") -> str:
    return "–" if not row.retention else f"{sum(row.retention) / len(row.retention):.3f}"


def _drop(row: "GridRow") -> str:
    if row.drop is None:
        return row.status
    drop = row.drop
    ends = "–" if isnan(drop.low) else f"{drop.low:+.3f}, {drop.high:+.3f}"
    return f"{drop.point:+.3f} [{ends}]"


def _p(row: "GridRow") -> str:
    return "" if isnan(row.p) else "<0.001" if row.p < 0.001 else f"{row.p:.3f}"


def _says(row: "GridRow") -> str:
    """In a word; with the drop that would show, where this one is neither clear of 0 nor tied."""
    words = {"above": "drops", "below": "gains", "tied": "tied", "unmeasured": ""}
    return words.get(row.word, f"open: {row.smallest_shown:.2f} shows")


def _changes(row: "GridRow") -> str:
    return ", ".join(f"{field}={value}" for field, value in row.changes.items())
