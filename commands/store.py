"""The commands `latentcomp store info | verify | repair | stats | append | merge | export`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..common.errors import StoreError, UsageError
from ..common.terminal import DEFAULT_RUN, stdout_console

RunOption = Annotated[
    str, typer.Option("--run", help="Run folder, or folder or address (s3://...) of a store.")
]
TeacherOption = Annotated[
    str | None,
    typer.Option("--teacher", help="Folder or hub id; the name in the manifest if left out."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="Of the teacher: auto, cpu, cuda ...")]
_DEFAULT = str(DEFAULT_RUN)

store_app = typer.Typer(help="Look at a feature store.", rich_markup_mode="markdown")


@store_app.command()
def info(
    run: RunOption = _DEFAULT,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what the store of a run holds, finished or not."""
    path = _store_of(run)
    from ..store.tools.info import describe

    summary = describe(path)
    console = stdout_console()
    console.print(summary.model_dump_json(indent=2) if json else "\n".join(summary.lines()))


@store_app.command()
def verify(
    run: RunOption = _DEFAULT,
    recompute: Annotated[
        int, typer.Option(min=0, help="Random documents to read again with the teacher.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the random choice.")] = 0,
    teacher: TeacherOption = None,
    device: DeviceOption = "auto",
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Do not go on with a run that was interrupted.")
    ] = False,
) -> None:
    """Read the store of a run in full and check every checksum, count and value in it.

    All cores check at once. After a kill the next run does not read again what the last one found
    sound, unless it changed since.

    With `--recompute N` the teacher reads N random documents again, and differences from the
    store are reported by document and layer.
    """
    path = _store_of(run)
    from ..store.tools.verify import verify as verify_store

    console = stdout_console()
    with _progress("verifying") as update:
        report = verify_store(path, update, resume=not from_start)
    for problem in report.problems:
        console.print(f"{problem.path or path}: {problem.message}", style="red")
    if report.problems:
        raise StoreError(f"{path}: {len(report.problems)} problems; {report.step}")
    state = "complete and sound" if report.complete else "sound so far, but not finished"
    earlier = (
        f"; the states of {report.earlier:,} shards were checked by a run that was interrupted, "
        "and not changed since"
        if report.earlier
        else ""
    )
    console.print(
        f"{path}: {state}: {report.documents:,} documents, {report.tokens:,} tokens, "
        f"{report.files:,} files, {report.bytes_read / 1e6:,.1f} MB read{earlier}"
    )
    if recompute:
        _recompute(path, recompute, seed, teacher, device)


def _recompute(
    path: Path | str, documents: int, seed: int, teacher: str | None, device: str
) -> None:
    from .store_verify import RecomputeRequest, recompute

    console = stdout_console()
    with _progress("recomputing") as update:
        report = recompute(RecomputeRequest(path, documents, seed, teacher, device), update)
    for problem in report.problems:
        console.print(f"{path}: {problem}", style="red")
    if report.problems:
        raise StoreError(
            f"{path}: {len(report.problems)} differences from teacher {report.teacher!r}; "
            "extract it again"
        )
    again = f", {report.retokenized:,} tokenized again" if report.retokenized else ""
    console.print(
        f"{path}: recomputed {report.documents:,} random documents (seed {seed}), "
        f"{report.tokens:,} tokens, with {report.teacher} in {report.compute_dtype}{again}: "
        f"{report.exact:.4%} of the values equal to the bit, largest relative error of a token "
        f"{report.largest_error:.2g}, tolerance {report.tolerance:.2g}"
    )


@store_app.command()
def repair(
    run: RunOption = _DEFAULT,
    teacher: TeacherOption = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Of the teacher; as it was if left out.")
    ] = None,
) -> None:
    """Check every shard of a store, and have the teacher read damaged or missing ones again.

    What is sound is kept, and the store ends with the bytes that it had. It also finishes a store
    that is unfinished. Example: `latentcomp store repair --run runs/lab`
    """
    path = _store_of(run)
    from .store_repair import RepairRequest
    from .store_repair import repair as repair_store

    with _progress("checking") as update:
        repair_store(RepairRequest(path, teacher, device), stdout_console(), update)


@store_app.command()
def stats(run: RunOption = _DEFAULT) -> None:
    """Print the statistics of every layer as JSON: mean, RMS, outlier dimensions, codec error."""
    from ..common.atomic import json_text

    path = _store_of(run)
    from ..store.tools.info import describe

    summary = describe(path)
    layers = [layer.model_dump(mode="json") for layer in summary.statistics]
    stdout_console().print(json_text({"tokens": summary.tokens, "layers": layers}), end="")


@store_app.command()
def append(
    corpus: Annotated[Path, typer.Argument(help="Folder or JSONL file with the new documents.")],
    run: Annotated[Path, typer.Option("--run", help="Run folder to add them to.")] = DEFAULT_RUN,
    teacher: TeacherOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Add documents to a run; the teacher reads only those that its store does not have yet.

    Resumes after a kill when run again. Example:
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
    """Merge finished stores of one teacher into one; resumes after a kill when run again."""
    paths = [_store_of(source) for source in sources]
    from ..store.tools.merge import merge as merge_stores

    with _progress("merging") as update:
        merge_stores(paths, out, progress=update)
    stdout_console().print(
        f"{out}: merged {len(sources)} stores; look at it with `store info --run {out}`"
    )


@store_app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="New folder for the safetensors files.")],
    run: RunOption = _DEFAULT,
    layers: Annotated[
        str, typer.Option("--layers", help="Blocks completed, such as 19,43; empty for all.")
    ] = "",
) -> None:
    """Write every document as a safetensors file, readable without this package."""
    blocks, path = _blocks(layers), _store_of(run)
    from ..store.tools.export import export as export_store

    with _progress("exporting") as update:
        index = export_store(path, out, layers=blocks, progress=update)
    stdout_console().print(f"{index}: names the file of every document")


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar; gives a function to call with (done, total)."""
    from rich.progress import Progress

    with Progress(console=stdout_console(), transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _blocks(text: str) -> list[int] | None:
    try:
        return [int(part) for part in text.split(",")] if text else None
    except ValueError as error:
        raise UsageError(
            f"--layers {text!r}: give blocks completed, such as 19,43 (see `store info`)"
        ) from error


def _store_of(run: str) -> Path | str:
    """The store of a run folder, or the store itself. Raises: StoreError, there is none."""
    from ..store.format.files import is_store
    from ..store.places.open import place_of

    place = place_of(run)
    if is_store(place):
        return place.path
    below = place_of(place.at("store"))
    if not is_store(below):
        raise StoreError(f"{below}: no feature store here: write one with `extract`")
    return below.path
