"""Look-up of model files without network access."""

from pathlib import Path

from ..common.errors import TeacherError
from .files import ModelFiles, is_local, locate_model


def find_local(name: str, *needed: str) -> ModelFiles | None:
    """The files of a model that is on this machine already; None where it is not.

    Args:
        name: of a lab model or a cached one, a folder, or a hub id that may be in its own cache.
        needed: files that must be there, such as `tokenizer.json`.

    Raises:
        TeacherError: a lab model is missing from the package.
    """
    if is_local(name):
        files: ModelFiles | None = locate_model(name)
    else:
        files = _cached(name)
    if files is None or not all((files.folder / file).is_file() for file in needed):
        return None
    return files


def _cached(name: str) -> ModelFiles | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    except OSError as error:
        raise TeacherError(f"the local cache of {name!r} cannot be read ({error})") from error
    return ModelFiles(name=name, folder=folder, revision=folder.name)
