"""Is this the store of this manifest? A difference is an error, never a warning."""

import functools
import hashlib
from typing import Any

from ...common.atomic import json_text
from ...common.errors import StoreError
from ..places.protocol import Place
from . import ledger
from .layout import MANIFEST, is_store
from .schema import Manifest

_GROWS = "corpus_sha256"


@functools.lru_cache(maxsize=16)  # asked for every shard, it would take longer than writing one
def owner_sha256(manifest: Manifest) -> str:
    """SHA-256 in hex of the manifest without the corpus, which may grow."""
    content = manifest.model_dump(mode="json", exclude={_GROWS})
    return hashlib.sha256(json_text(content).encode()).hexdigest()


def corpus_of_store(store: Place) -> str | None:
    """Hash of the corpus that a store is of; None if there is no store. Raises: StoreError."""
    if not is_store(store):
        return None
    return ledger.read_sealed(store, MANIFEST, Manifest).corpus_sha256


def check_same(store: Place, manifest: Manifest, extend: bool) -> None:
    """Check that a store, if there is one, has exactly this manifest.

    Args:
        store: place of the store.
        manifest: of the request.
        extend: allow another corpus.

    Raises:
        StoreError: it differs (names the first field and both values), or the place holds
            something that is no store.
    """
    if not is_store(store):
        other = store.visible_entry()
        if not other:
            return
        if not is_store(store):  # another writer may have begun it between the two looks
            raise StoreError(
                f"{store}: holds {other!r}, so it is no feature store: choose an empty folder"
            )
    stored = _flat(ledger.read_sealed(store, MANIFEST, Manifest).model_dump(mode="json"))
    requested = _flat(manifest.model_dump(mode="json"))
    for field, value in requested.items():
        if stored.get(field) != value and not (extend and field == _GROWS):
            more = "add documents with `latentcomp store append`, or " if field == _GROWS else ""
            raise StoreError(
                f"{store}: this store has {field} = {stored.get(field)!r}, but {value!r} was "
                f"requested: {more}choose another folder"
            )


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
