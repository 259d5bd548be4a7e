"""Several stores of one teacher as one."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...common.errors import StoreError
from ..format.documents import Documents
from ..format.entry import Entry, check_entry
from ..format.identity import owner_sha256
from ..format.layout import Layout
from ..format.schema import Manifest
from ..places.protocol import Place
from ..read.entries import stored_entries
from ..read.reader import FeatureStore
from ..write.writer import StoreWriter


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
    origins: list[tuple[int, int]] = []
    documents = Documents(_entries(stores, origins))
    manifest = stores[0].manifest.model_copy(
        update={"corpus_sha256": corpus_sha256 or _union(stores)}
    )
    with StoreWriter(target, manifest, documents, name="latentcomp store merge") as writer:
        pending = writer.pending()
        for done, number in enumerate(pending, start=1):
            source, index = origins[number]
            writer.write(number, stores[source].read(index).states)
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


def _entries(stores: Sequence[FeatureStore], origins: list[tuple[int, int]]) -> Iterator[Entry]:
    """Every document once; store and index of each join `origins`. Raises: StoreError."""
    seen: dict[str, tuple[int, str]] = {}
    for number, store in enumerate(stores):
        for index, given in enumerate(stored_entries(store.path)):
            entry = check_entry(given)
            earlier = seen.setdefault(entry.document_id, (number, entry.tokens_sha256))
            if earlier[1] != entry.tokens_sha256:
                raise StoreError(
                    f"{store.path}: document {entry.document_id!r} has other tokens in "
                    f"{stores[earlier[0]].path}: rename one of them"
                )
            if earlier == (number, entry.tokens_sha256):
                origins.append((number, index))
                yield entry


def _union(stores: Sequence[FeatureStore]) -> str:
    hashes = "\n".join(store.manifest.corpus_sha256 for store in stores)
    return hashlib.sha256(hashes.encode()).hexdigest()
