"""The teacher of a store that exists: from its manifest, or from the command line."""

from pathlib import Path
from typing import Any

from ..common.errors import UsageError
from ..extract.record import read_extraction_record
from ..extract.request import ExtractionRequest
from ..models.cached import is_cached_name
from ..models.layers import negative
from ..models.names import lab_name
from ..store.format.schema import Manifest, ModelIdentity


def teacher_of(
    where: Path | str, recorded: ModelIdentity, requested: str | None
) -> tuple[str, str | None]:
    """Hub id or folder of the teacher to load, and its hub revision.

    Args:
        where: run or store, for the message.
        recorded: teacher in the manifest.
        requested: value of `--teacher`, which goes before the recorded name.

    Raises:
        UsageError: the recorded name is the last part of a local path, which cannot be loaded.
    """
    if requested is not None:
        return requested, None
    if (own := lab_name(recorded)) is not None:
        return own, None
    known = is_cached_name(recorded.name)
    if recorded.revision is None and not known:
        raise UsageError(
            f"{where}: its teacher {recorded.name!r} was loaded from a local folder: "
            "say where it lies with --teacher"
        )
    return recorded.name, recorded.revision


def extraction_of(
    run: Path, manifest: Manifest, teacher: str | None, device: str | None
) -> ExtractionRequest:
    """The request that extracted the store of a run, for the corpus as it is when it runs.

    Args:
        run: its folder.
        manifest: of its store.
        teacher: value of `--teacher`.
        device: value of `--device`; None takes the recorded one.

    Raises:
        UsageError: the teacher must be named with `--teacher`.
        StoreError: the record of the extraction is damaged.
    """
    record = read_extraction_record(run)
    name, revision = teacher_of(run, manifest.teacher, teacher)
    settings: dict[str, Any] = {} if record is None else record.settings.model_dump()
    if device is not None:
        settings["device"] = device
    return ExtractionRequest(
        run=run,
        layers=tuple(negative(layer, manifest.teacher.blocks) for layer in manifest.layers),
        teacher=name,
        revision=revision,
        dtype=manifest.dtype,
        codec=manifest.codec,
        **settings,
    )
