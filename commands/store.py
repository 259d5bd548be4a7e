"""The commands `latentcomp store info | verify | stats | merge | export`."""

from pathlib import Path
from typing import Annotated

import typer

from ..common.errors import StoreError
from ..common.terminal import DEFAULT_RUN, stdout_console

RunOption = Annotated[
    str, typer.Option("--run", help="Run folder, or folder or address (s3://...) of a store.")
]
_DEFAULT = str(DEFAULT_RUN)

store_app = typer.Typer(help="Look at a feature store.", rich_markup_mode="markdown")


@store_app.command()
def info(
    run: RunOption = _DEFAULT,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what the store of a run holds, finished or not."""
    from ..store.tools.info import describe

    found = describe(_store_of(run))
    console = stdout_console()
    console.print(found.model_dump_json(indent=2) if json else "\n".join(found.lines()))


@store_app.command()
def verify(
    run: RunOption = _DEFAULT,
    recompute: Annotated[
        int, typer.Option(min=0, help="Then read so many random documents with the teacher again.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Which random documents.")] = 0,
    teacher: Annotated[
        str | None, typer.Option(help="Where the teacher lies, if the manifest's name does not do.")
    ] = None,
    device: Annotated[str, typer.Option(help="Of the teacher: auto, cpu, cuda ...")] = "auto",
) -> None:
    """Read the store of a run in full and check every checksum, count and value in it.

    With `--recompute N` the teacher reads N random documents again, and what differs from the
    store is named by document and layer.
    """
    from rich.progress import Progress

    from ..store.tools.verify import verify as verify_store

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
    if recompute:
        _recompute(path, recompute, seed, teacher, device)


def _recompute(
    path: Path | str, documents: int, seed: int, teacher: str | None, device: str
) -> None:
    from rich.progress import Progress

    from .store_verify import RecomputeRequest, recompute

    console = stdout_console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("recomputing", total=None)
        report = recompute(
            RecomputeRequest(path, documents, seed, teacher, device),
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    for problem in report.problems:
        console.print(f"{path}: {problem}", style="red")
    if report.problems:
        raise StoreError(
            f"{path}: {len(report.problems)} differences from teacher {report.teacher!r}; "
            "extract it again"
        )
    again = f", {report.retokenized:,} split into tokens again" if report.retokenized else ""
    console.print(
        f"{path}: recomputed {report.documents:,} random documents (seed {seed}), "
        f"{report.tokens:,} tokens, with {report.teacher} in {report.compute_dtype}{again}: "
        f"{report.exact:.4%} of the values equal to the bit, largest relative error of a token "
        f"{report.largest_error:.2g}, let pass up to {report.tolerance:.2g}"
    )


@store_app.command()
def stats(run: RunOption = _DEFAULT) -> None:
    """Print the statistics of every layer as JSON: mean, RMS, outlier dimensions, what was lost."""
    from ..common.atomic import json_text
    from ..store.tools.info import describe

    found = describe(_store_of(run))
    layers = [layer.model_dump(mode="json") for layer in found.statistics]
    stdout_console().print(json_text({"tokens": found.tokens, "layers": layers}), end="")


@store_app.command()
def append(
    corpus: Annotated[Path, typer.Argument(help="Folder or JSONL file with the new documents.")],
    run: Annotated[Path, typer.Option("--run", help="Run folder to add them to.")] = DEFAULT_RUN,
    teacher: Annotated[
        str | None, typer.Option(help="Where the teacher lies, if the manifest's name does not do.")
    ] = None,
    device: Annotated[str, typer.Option(help="Of the teacher: auto, cpu, cuda ...")] = "auto",
) -> None:
    """Add documents to a run: only what its store does not have yet is read by the teacher.

    Killed and started again, it goes on. Example:
    `latentcomp store append more.jsonl --run runs/lab`
    """
    from .store_append import AppendRequest
    from .store_append import append as append_documents

    append_documents(AppendRequest(run, corpus, teacher, device), stdout_console())


@store_app.command()
def merge(
    sources: Annotated[list[str], typer.Argument(help="Finished stores or their run folders.")],
    out: Annotated[str, typer.Option("--out", help="Folder or address of the merged store.")],
) -> None:
    """Join finished stores of one teacher into one; killed and started again, it goes on."""
    from rich.progress import Progress

    from ..store.tools.merge import merge as merge_stores

    console = stdout_console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("merging", total=None)
        merge_stores(
            [_store_of(source) for source in sources],
            out,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"{out}: merged {len(sources)} stores; look at it with `store info --run {out}`")


@store_app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="New folder for the safetensors files.")],
    run: RunOption = _DEFAULT,
    layers: Annotated[
        str, typer.Option("--layers", help="Blocks completed, such as 19,43; empty for all.")
    ] = "",
) -> None:
    """Write every document as a safetensors file that needs nothing of this package."""
    from rich.progress import Progress

    from ..store.tools.export import export as export_store

    console = stdout_console()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("exporting", total=None)
        index = export_store(
            _store_of(run),
            out,
            layers=_blocks(layers),
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"{index}: names the file of every document")


def _blocks(text: str) -> list[int] | None:
    try:
        return [int(part) for part in text.split(",")] if text else None
    except ValueError as error:
        raise StoreError(
            f"--layers {text!r}: give blocks completed, such as 19,43 (see `store info`)"
        ) from error


def _store_of(run: str) -> Path | str:
    """The store of a run; a store itself is taken as it is."""
    from ..store.format.layout import is_store
    from ..store.places.open import place_of

    place = place_of(run)
    return place.path if is_store(place) else place_of(place.at("store")).path
