"""The command `latentcomp doctor`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ..common.options import Dtype
from ..common.terminal import option, stdout_console
from ..doctor.settings import DEFAULT_CARD_GB, Settings

_DEFAULT = Settings()
_WHICH, _SERVER, _TOKENS, _CARD, _READ = (
    "Which checks",
    "server: a text teacher",
    "tokenizers: two models that cut text alike",
    "memory: a large run on one card",
    "forward, device: what reads",
)
_ASKED_BY: Final = {
    "server": ("teacher_url", "served_model"),
    "tokenizers": ("tokenizers", "corpus"),
    "memory": (
        "architecture",
        "card_gb",
        "batch_tokens",
        "documents_at_once",
        "latents",
        "checkpointing",
        "dtype",
    ),
}
"""Check -> the options that ask for it."""


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """What the user can say of the checks; None where nothing was given."""

    large: Annotated[
        bool,
        option(
            _WHICH, "Also what a large run assumes: server, tokenizers, memory, engine.", "--large"
        ),
    ] = False
    check: Annotated[
        list[str] | None,
        option(
            _WHICH,
            "Only this one, repeatable: install, models, forward, disk, device, server, "
            "tokenizers, memory, engine.",
        ),
    ] = None
    json: Annotated[
        Path | None, option(_WHICH, "Write the verdicts here too.", "--json", metavar="FILE")
    ] = None
    teacher: Annotated[
        str | None,
        option(
            _READ, f"Model for a real forward pass of a few tokens. [default: {_DEFAULT.teacher}]"
        ),
    ] = None
    device: Annotated[str, option(_READ, "auto, cpu or cuda.")] = "auto"
    teacher_url: Annotated[
        str | None, option(_SERVER, f"Its address. [default: {_DEFAULT.teacher_url}]")
    ] = None
    served_model: Annotated[
        str | None, option(_SERVER, "Model that it should serve; any by default.")
    ] = None
    tokenizers: Annotated[
        tuple[str, str] | None,
        option(
            _TOKENS,
            f"The two. [default: {' '.join(_DEFAULT.tokenizers)}]",
            metavar="MODEL MODEL",
        ),
    ] = None
    corpus: Annotated[Path | None, option(_TOKENS, "Documents to try them on as well.")] = None
    architecture: Annotated[
        str | None,
        option(
            _CARD,
            "Preset, folder with a config.json, or hub id in the local cache. "
            f"[default: {_DEFAULT.architecture}]",
        ),
    ] = None
    card_gb: Annotated[
        float | None,
        option(
            _CARD,
            f"Size of the card. [default: this machine's, or {DEFAULT_CARD_GB:g} without a GPU]",
            min=1.0,
        ),
    ] = None
    batch_tokens: Annotated[
        int | None,
        option(
            _CARD,
            f"Tokens that extraction reads. [default: {_DEFAULT.batch_tokens}, or what fits]",
            min=1,
        ),
    ] = None
    documents_at_once: Annotated[
        int | None,
        option(
            _CARD,
            "Documents of a step of train and a batch of evaluate. "
            f"[default: {_DEFAULT.documents_at_once}, or what fits]",
            min=1,
        ),
    ] = None
    latents: Annotated[
        int | None,
        option(_CARD, f"Latents of each of them. [default: {_DEFAULT.latents}]", min=1),
    ] = None
    checkpointing: Annotated[
        bool | None,
        option(_CARD, "Whether train computes blocks again going backward. [default: as train]"),
    ] = None
    dtype: Annotated[
        Dtype | None,
        option(_CARD, "Of the models' weights, as train and evaluate take it. [default: auto]"),
    ] = None

    def names(self) -> tuple[str, ...]:
        """The checks that are meant: those of the lab, and the large ones that are asked for."""
        from ..doctor.names import LAB, LARGE

        if self.check:
            return tuple(self.check)
        chosen = [
            name
            for name, options in _ASKED_BY.items()
            if any(getattr(self, each) is not None for each in options)
        ]
        return (*LAB, *(LARGE if self.large else chosen))

    def verify(self) -> None:
        """Refuse what can be known before torch is imported. Raises: UsageError, and others."""
        from ..doctor.names import check_names
        from .early import check_input, refuse_all

        refuse_all(
            lambda: check_names(self.names()),
            lambda: check_input(self.corpus, *(self.tokenizers or ()), self.teacher),
        )

    def settings(self) -> Settings:
        """The same for the program."""
        from ..experiment.phases import phase
        from ..experiment.shipped import SHIPPED

        known = {field.name for field in fields(Settings)}
        given: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name in known and getattr(self, field.name) is not None
        }
        return Settings(
            **given,
            compressor=phase(4).recipe.model,
            shipped=tuple(sorted(path.parent for path in SHIPPED.glob("*/latest.json"))),
            sizes_given=self.batch_tokens is not None or self.documents_at_once is not None,
        )


def doctor(options: DoctorOptions) -> None:
    """Check what this installation needs for the lab; with --large, what a large run assumes.

    Works without a network. Each row is ok, failed, or unknown if it cannot be checked on this
    machine; an option of a large check adds its row. The exit code is 0 if none failed, else 1.
    Example: `latentcomp doctor --large --card-gb 96 --json doctor.json`
    """
    from ..common.atomic import write_json
    from ..doctor.registry import examine
    from ..doctor.table import render

    report = examine(options.settings(), options.names())
    console = stdout_console()
    console.print(render(report))
    if options.json is not None:
        write_json(options.json, report.model_dump(mode="json"))
        console.print(f"{options.json}: written")
    raise typer.Exit(1 if report.failed else 0)
