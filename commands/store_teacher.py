"""The teacher of a store that exists: from its manifest, or from the command line."""

from pathlib import Path

from ..common.errors import UsageError
from ..models.files import LAB_FOLDERS
from ..store.format.schema import ModelIdentity


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
    if recorded.revision is None and recorded.name not in LAB_FOLDERS:
        raise UsageError(
            f"{where}: its teacher {recorded.name!r} was loaded from a local folder: "
            "say where it lies with --teacher"
        )
    return recorded.name, recorded.revision
