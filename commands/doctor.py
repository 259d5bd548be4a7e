"""The command `latentcomp doctor`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..common.terminal import stdout_console
from ..doctor.settings import Settings

_DEFAULT = Settings()


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """What the user can say of the checks."""

    teacher_url: Annotated[str, typer.Option(help="Address of the text teacher.")] = (
        _DEFAULT.teacher_url
    )
    served_model: Annotated[
        str | None, typer.Option(help="Model that it should serve; any by default.")
    ] = None
    tokenizers: Annotated[
        tuple[str, str],
        typer.Option(metavar="MODEL MODEL", help="Two models whose tokenizers should agree."),
    ] = _DEFAULT.tokenizers
    corpus: Annotated[
        Path | None, typer.Option(help="Documents to try the tokenizers on as well.")
    ] = None
    architecture: Annotated[
        str, typer.Option(help="Preset, folder with a config.json, or hub id in the local cache.")
    ] = _DEFAULT.architecture
    card_gb: Annotated[
        float | None,
        typer.Option(min=1.0, help="Size of the card; this machine's, or 96 without a GPU."),
    ] = None
    batch_tokens: Annotated[
        int, typer.Option(min=1, help="Tokens that extraction reads at once.")
    ] = _DEFAULT.batch_tokens
    documents_at_once: Annotated[
        int, typer.Option(min=1, help="Documents of a step of train and a batch of evaluate.")
    ] = _DEFAULT.documents_at_once
    latents: Annotated[int, typer.Option(min=1, help="Latents of each of them.")] = 256
    checkpointing: Annotated[
        bool | None,
        typer.Option(
            help="Whether train computes blocks again going backward. [default: as train]"
        ),
    ] = None
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option(help="Of the models' weights, as train and evaluate take it."),
    ] = "auto"
    teacher: Annotated[str, typer.Option(help="Model for a real forward pass of a few tokens.")] = (
        _DEFAULT.teacher
    )
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto"
    check: Annotated[
        list[str] | None,
        typer.Option(help="Only this one: server, tokenizers, memory, forward; repeatable."),
    ] = None
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the verdicts here too.")
    ] = None

    def settings(self) -> Settings:
        """The same for the program."""
        from ..experiment.phases import phase

        return Settings(
            teacher_url=self.teacher_url,
            served_model=self.served_model,
            tokenizers=self.tokenizers,
            corpus=self.corpus,
            architecture=self.architecture,
            card_gb=self.card_gb,
            batch_tokens=self.batch_tokens,
            documents_at_once=self.documents_at_once,
            latents=self.latents,
            checkpointing=self.checkpointing,
            dtype=self.dtype,
            compressor=phase(4).recipe.model,
            teacher=self.teacher,
            device=self.device,
        )


def doctor(options: DoctorOptions) -> None:
    """Check the assumptions behind the experiment; works without a network.

    Each is ok, failed, or unknown if it cannot be checked on this machine. The exit code
    is 0 if none failed, else 1. Example: `latentcomp doctor --card-gb 96 --json doctor.json`
    """
    from ..common.atomic import write_json
    from ..doctor.registry import examine
    from ..doctor.table import render

    report = examine(options.settings(), options.check or ())
    console = stdout_console()
    console.print(render(report))
    if options.json is not None:
        write_json(options.json, report.model_dump(mode="json"))
        console.print(f"{options.json}: written")
    raise typer.Exit(1 if report.failed else 0)
