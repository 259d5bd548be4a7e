"""Several stores of one teacher as one."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...common.errors import StoreError
from ..format.identity import owner_sha256
from ..format.layout import Layout
from ..format.schema import DocumentEntry, Manifest
from ..places.protocol import Place
from ..read.entries import stored_entries
from ..read.reader import FeatureStore
from ..write.writer import StoreWriter


@dataclass(frozen=True, eq=False, slots=True)
class _Source:
    """The origin of a document of the merged store."""

    store: FeatureStore
    index: int
    entry: DocumentEntry


def merge(
    sources: Sequence[Path | str | Place],
    target: Path | str | Place,
    *,
    corpus_sha256: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Manifest:
    """Write the documents of several finished stores, in this order, as one store.

    A killed merge resumes when it is run again. A document of several sources is stored once.

    Args:
        sources: at least one; the same in everything but their corpus.
        target: new folder, or one begun by the same merge.
        corpus_sha256: of the union; None derives it from those of the sources.
        progress: called with (documents done, documents in all).

    Returns:
        the manifest of the merged store.

    Raises:
        StoreError: a source is damaged or unlike the first, two documents share an id but not
            their tokens, the states are quantised (they would lose twice), the disk is full.
    """
    stores = [FeatureStore(source) for source in sources]
    for store in stores[1:]:
        _check_like(stores[0], store)
    if not Layout(stores[0].manifest, 1).encoding.exact:
        raise StoreError(
            f"{stores[0].path}: quantised states lose again when they are merged: extract with "
            "`extend` instead"
        )
    documents = _documents(stores)
    manifest = stores[0].manifest.model_copy(
        update={"corpus_sha256": corpus_sha256 or _union(stores)}
    )
    entries = [source.entry for source in documents]
    with StoreWriter(target, manifest, entries, name="latentcomp store merge") as writer:
        pending = writer.pending()
        for done, number in enumerate(pending, start=1):
            source = documents[number]
            writer.write(number, source.store.read(source.index).states)
            if progress:
                progress(done, len(pending))
    return manifest


def _check_like(first: FeatureStore, other: FeatureStore) -> None:
    if owner_sha256(first.manifest) == owner_sha256(other.manifest):
        return
    expected, actual = (
        store.manifest.model_dump(exclude={"corpus_sha256"}) for store in (first, other)
    )
    field = next(name for name in expected if expected[name] != actual[name])
    raise StoreError(
        f"{other.path}: its {field} is not that of {first.path}: only stores of one teacher and "
        "one form can be merged"
    )


def _documents(stores: Sequence[FeatureStore]) -> list[_Source]:
    sources: dict[str, _Source] = {}
    for store in stores:
        for index, entry in enumerate(stored_entries(store.path)):
            source = sources.setdefault(entry.document_id, _Source(store, index, entry))
            same = np.array_equal(np.asarray(source.entry.token_ids), np.asarray(entry.token_ids))
            if not same:
                raise StoreError(
                    f"{store.path}: document {entry.document_id!r} has other tokens in "
                    f"{source.store.path}: rename one of them"
                )
    return list(sources.values())


def _union(stores: Sequence[FeatureStore]) -> str:
    hashes = "\n".join(store.manifest.corpus_sha256 for store in stores)
    return hashlib.sha256(hashes.encode()).hexdigest()
