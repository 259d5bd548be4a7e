"""Models in the user's cache: where they lie and what they are called."""

import json
import re
from pathlib import Path
from typing import Any, Final

from ..common.cache import cache_folder
from ..common.errors import TeacherError
from .sources import SOURCES

PROMPT_FILE: Final = "latentcomp.json"
"""File of a model's folder that holds its prompt, and what is known of where it comes from."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a cached model may be called."""
_SHOWN: Final = re.compile(rf"({NAME.pattern}) \(quantised \w+\)")


def models_folder() -> Path:
    """The folder of all cached models; it may not be there."""
    return cache_folder("models")


def given_name(name: str) -> str:
    """The name that options take, of it or of the one that records have.

    `smollm2-135m (quantised Q4_1)` in a record is `smollm2-135m` on the command line.
    """
    shown = _SHOWN.fullmatch(name)
    return shown[1] if shown else name


def recorded_name(folder: Path) -> str:
    """The name that records have of the model in a folder: it says what was quantised.

    That of the folder itself where its latentcomp.json says nothing of where the model is from.
    """
    origin = origin_of(folder)
    name = origin.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return folder.name
    shown = f"{name} (quantised {origin.get('quantised')})"
    return shown if origin.get("quantised") and _SHOWN.fullmatch(shown) else name


def origin_of(folder: Path) -> dict[str, Any]:
    """The part `model` of a folder's latentcomp.json; empty where there is none."""
    try:
        origin = json.loads((folder / PROMPT_FILE).read_bytes())["model"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return origin if isinstance(origin, dict) else {}


def cached_folder(name: str) -> Path | None:
    """The folder of a cached model by its name, or by that of a record; None if it is not here."""
    key = given_name(name)
    if not NAME.fullmatch(key):
        return None
    folder = models_folder() / key
    return folder if (folder / PROMPT_FILE).is_file() else None


def is_cached_name(name: str) -> bool:
    """Whether a recorded name is that of a cached model, or of one that can be fetched."""
    return given_name(name) in SOURCES or cached_folder(name) is not None


def cached_names() -> list[str]:
    """Names of all cached models."""
    return sorted(file.parent.name for file in models_folder().glob(f"[!.]*/{PROMPT_FILE}"))


def how_to_get(name: str, *files: str) -> str:
    """The command that brings a model onto this machine, or only some files of one of the hub."""
    if given_name(name) in SOURCES:
        return f"`latentcomp models get {given_name(name)}`"
    return f"`hf download {' '.join((name, *files))}`"


def check_fetched(name: str) -> None:
    """Refuse a model that would have to be fetched first.

    Raises:
        TeacherError: it can be fetched, and it is not here.
    """
    key = given_name(name)
    if key in SOURCES and cached_folder(name) is None:
        raise TeacherError(f"model {key!r} is not in {models_folder()}; run {how_to_get(key)}")
