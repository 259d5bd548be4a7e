"""`training.json` of a lab model: a record of each stage of its training, in their order."""

import json
from pathlib import Path
from typing import Any, Final

from ..common.errors import LatentcompError

TRAINING_FILE: Final = "training.json"


def stages_of(folder: str | Path | None) -> list[dict[str, Any]]:
    """Records of the training stages behind the model in `folder`; none behind fresh weights.

    Raises:
        LatentcompError: the folder has no record of its training.
    """
    if folder is None:
        return []
    file = Path(folder) / TRAINING_FILE
    try:
        stages: list[dict[str, Any]] = json.loads(file.read_text())["stages"]
    except (OSError, ValueError, KeyError) as error:
        raise LatentcompError(
            f"{file}: no record of a training ({type(error).__name__}); "
            "give the folder of a finished stage"
        ) from error
    return stages
