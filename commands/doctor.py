"""The command `latentcomp doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from ..common.terminal import stdout_console
from ..doctor.settings import Settings

_DEFAULT = Settings()


def doctor(
    teacher_url: Annotated[
        str, typer.Option(help="Address of the text teacher.")
    ] = _DEFAULT.teacher_url,
    served_model: Annotated[
        str | None, typer.Option(help="Model that it should serve; any by default.")
    ] = None,
    tokenizers: Annotated[
        tuple[str, str],
        typer.Option(metavar="MODEL MODEL", help="Two models whose tokenizers should agree."),
    ] = _DEFAULT.tokenizers,
    corpus: Annotated[
        Path | None, typer.Option(help="Documents to try the tokenizers on as well.")
    ] = None,
    architecture: Annotated[
        str, typer.Option(help="Preset, folder with a config.json, or hub id in the local cache.")
    ] = _DEFAULT.architecture,
    card_gb: Annotated[
        float | None,
        typer.Option(min=1.0, help="Size of the card; this machine's, or 96 without a GPU."),
    ] = None,
    batch_tokens: Annotated[
        int, typer.Option(min=1, help="Tokens that extraction reads at once.")
    ] = _DEFAULT.batch_tokens,
    documents_at_once: Annotated[
        int, typer.Option(min=1, help="Documents in a step of the control experiment.")
    ] = _DEFAULT.documents_at_once,
    latents: Annotated[int, typer.Option(min=1, help="Latents of each of them.")] = 256,
    checkpointing: Annotated[
        bool, typer.Option(help="Whether its blocks are computed again going backward.")
    ] = True,
    teacher: Annotated[
        str, typer.Option(help="Model for a real forward pass of a few tokens.")
    ] = _DEFAULT.teacher,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    check: Annotated[
        list[str] | None,
        typer.Option(help="Only this one: server, tokenizers, memory, forward; repeatable."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the verdicts here too.")
    ] = None,
) -> None:
    """Check the assumptions behind the experiment; works without a network.

    Each is ok, failed, or unknown if it cannot be checked on this machine. The exit code
    is 0 if none failed, else 1. Example: `latentcomp doctor --card-gb 96 --json doctor.json`
    """
    from ..common.atomic import write_json
    from ..doctor.registry import examine
    from ..doctor.table import render

    settings = Settings(
        teacher_url=teacher_url,
        served_model=served_model,
        tokenizers=tokenizers,
        corpus=corpus,
        architecture=architecture,
        card_gb=card_gb,
        batch_tokens=batch_tokens,
        documents_at_once=documents_at_once,
        latents=latents,
        checkpointing=checkpointing,
        teacher=teacher,
        device=device,
    )
    report = examine(settings, check or ())
    console = stdout_console()
    console.print(render(report))
    if json is not None:
        write_json(json, report.model_dump(mode="json"))
        console.print(f"{json}: written")
    raise typer.Exit(1 if report.failed else 0)
