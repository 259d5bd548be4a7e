"""`models.json` of a run: by which name each model was given, so that no command asks twice.

Stores and checkpoints record a model by hash, and of a local folder only its name. Where it lies
is a matter of this machine, so it stands here, beside them and outside of every identity. A name
is believed only where the weights behind it have the recorded hash.
"""

import json
from pathlib import Path
from typing import Any

from ..common import atomic
from ..common.errors import LatentcompError, TeacherError
from ..models.cached import cached_folder, given_name
from ..models.files import LAB_FOLDERS, identify_model, locate_model
from ..models.names import lab_name
from ..store.format.schema import ModelIdentity
from .run_folder import RunFolder


def remember_model(run: RunFolder, identity: ModelIdentity, given: str) -> None:
    """Note by which name a model was given.

    Raises:
        LatentcompError: the run folder cannot be written.
    """
    if given in LAB_FOLDERS:
        return
    path = Path(given).expanduser()
    named = str(path.resolve()) if path.is_dir() else given
    known = _read(run)
    if known.get(identity.weights_sha256) != named:
        atomic.write_json(run.models, known | {identity.weights_sha256: named})


def known_model(run: RunFolder, identity: ModelIdentity) -> str | None:
    """By which name a model can be had here, by the records alone; None where nothing says."""
    if (own := lab_name(identity)) is not None:
        return own
    named = _read(run).get(identity.weights_sha256)
    if named is not None and (not Path(named).is_absolute() or Path(named).is_dir()):
        return named
    if cached_folder(identity.name) is not None:
        return given_name(identity.name)
    return identity.name if identity.revision is not None else None


def find_model(run: RunFolder, identity: ModelIdentity, role: str) -> tuple[str, str | None]:
    """Name and hub revision with which a recorded model is loaded; its weights are the recorded.

    Args:
        run: whose records say where it lies.
        identity: of the model.
        role: the option that would name it, `teacher` or `reasoner`.

    Raises:
        TeacherError: it is not known where it lies, or other weights lie there now.
    """
    what = f"{role} {identity.name!r} (weights {identity.weights_sha256[:12]}...)"
    named = known_model(run, identity)
    if named is None:
        raise TeacherError(
            f"{run.path}: where the {what} lies is not known here; give --{role} with its folder"
        )
    files = locate_model(named, revision=identity.revision)
    if identify_model(files).weights_sha256 != identity.weights_sha256:
        raise TeacherError(
            f"{run.path}: the {what} was read from {named}, and other weights lie there now; "
            f"give --{role} with a folder that holds the right ones"
        )
    return named, files.revision


def _read(run: RunFolder) -> dict[str, str]:
    try:
        content: Any = json.loads(run.models.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LatentcompError(
            f"{run.models}: not readable as JSON ({error}); remove it and name the models with "
            "--teacher and --reasoner"
        ) from error
    if not isinstance(content, dict):
        return {}
    return {str(sha256): str(name) for sha256, name in content.items()}
