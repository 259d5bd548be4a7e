"""Which store is which: a difference is an error, never a warning."""

import hashlib
from pathlib import Path
from typing import Any

from ..errors import StoreError
from . import ledger
from .atomic import disk_errors, json_text
from .layout import MANIFEST, is_store
from .schema import Manifest

_GROWS = "corpus_sha256"


def owner_sha256(manifest: Manifest) -> str:
    """SHA-256 in hex of what the states are: the manifest but for the corpus, which may grow."""
    content = manifest.model_dump(mode="json", exclude={_GROWS})
    return hashlib.sha256(json_text(content).encode()).hexdigest()


def check_same(path: Path, manifest: Manifest, extend: bool) -> None:
    """Make sure that a store at `path`, if there is one, is of this very manifest.

    Args:
        path: folder of the store.
        manifest: what was asked for.
        extend: allow another corpus.

    Raises:
        StoreError: it differs (names the first field and both values), or `path` holds
            something that is no store.
    """
    if not is_store(path):
        _check_empty(path)
        return
    found = _flat(ledger.read_sealed(path / MANIFEST, Manifest).model_dump(mode="json"))
    asked = _flat(manifest.model_dump(mode="json"))
    for field, value in asked.items():
        if found.get(field) != value and not (extend and field == _GROWS):
            raise StoreError(
                f"{path}: this store has {field} = {found.get(field)!r}, but {value!r} was asked "
                "for: choose another folder, or delete this one"
            )


def _check_empty(path: Path) -> None:
    if path.is_file():
        raise StoreError(f"{path}: is a file, so it is no feature store: choose an empty folder")
    with disk_errors(path):
        strangers = [item.name for item in path.iterdir()] if path.is_dir() else []
    strangers = sorted(name for name in strangers if not name.startswith("."))
    if strangers:
        raise StoreError(
            f"{path}: holds {strangers[0]!r}, so it is no feature store: choose an empty folder"
        )


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
