"""JSON files of a model, and errors of other libraries as one line."""

import json
from pathlib import Path
from typing import Any

from ..common.errors import TeacherError


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file of a model.

    Raises:
        TeacherError: the file is unreadable or holds something else.
    """
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise TeacherError(f"{file} cannot be read ({one_line(error)})") from error
    if not isinstance(value, dict):
        raise TeacherError(f"{file} holds a {type(value).__name__}, expected a JSON object")
    return value


def one_line(error: BaseException) -> str:
    """An error's text without line breaks and not too long, for use inside a message."""
    text = " ".join(str(error).split()).rstrip(".:") or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
