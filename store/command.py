"""The commands `latentcomp store info` and `latentcomp store verify`."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import StoreError
from ..terminal import DEFAULT_RUN, RunOption, stdout_console

store_app = typer.Typer(help="Look at a feature store.", rich_markup_mode="markdown")


@store_app.command()
def info(
    run: RunOption = DEFAULT_RUN,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what the store of a run holds, finished or not."""
    from .info import describe

    found = describe(_store_of(run))
    console = stdout_console()
    console.print(found.model_dump_json(indent=2) if json else "\n".join(found.lines()))


@store_app.command()
def verify(run: RunOption = DEFAULT_RUN) -> None:
    """Read the store of a run in full and check every checksum, count and value in it."""
    from rich.progress import Progress

    from .verify import verify as verify_store

    path = _store_of(run)
    console = stdout_console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("verifying", total=None)
        report = verify_store(
            path, lambda done, total: progress.update(task, completed=done, total=total)
        )
    for problem in report.problems:
        console.print(f"{problem.path or path}: {problem.message}", style="red")
    if report.problems:
        raise StoreError(f"{path}: {len(report.problems)} problems; extract it again")
    state = "complete and sound" if report.complete else "sound so far, but not finished"
    console.print(
        f"{path}: {state}: {report.documents:,} documents, {report.tokens:,} tokens, "
        f"{report.files:,} files, {report.bytes_read / 1e6:,.1f} MB read"
    )


def _store_of(run: Path) -> Path:
    """The store of a run folder; a store's own folder is taken as it is."""
    return run if (run / "manifest.json").exists() else run / "store"
