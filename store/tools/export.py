"""Stores for others: one safetensors file per document, readable without this package."""

from collections.abc import Callable, Sequence
from pathlib import Path

from safetensors.torch import save

from ...common.atomic import make_folder, write_bytes, write_json
from ...common.errors import StoreError
from ..places.protocol import Place
from ..read.reader import FeatureStore

INDEX = "index.json"


def export(
    path: Path | str | Place,
    folder: Path,
    *,
    layers: Sequence[int] | None = None,
    documents: Sequence[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write documents as `<number>.safetensors` and, last, an `index.json` that names them.

    A file has `hidden_states` [tokens, layers, hidden] in the stored dtype, `token_ids`,
    `chunk_index`, `day` and `bucket` (int64 [tokens]), the first two as vLLM's connector names
    them; its metadata says which document, layers and teacher.

    Args:
        path: a finished store.
        folder: new or empty.
        layers: by blocks completed; None for all.
        documents: indices; None for all.
        progress: called with (documents done, documents in all).

    Returns:
        the index file.

    Raises:
        StoreError: the store is damaged, the folder is not empty, the disk is full and so on.
    """
    store, folder = FeatureStore(path), Path(folder)
    wanted = tuple(layers) if layers is not None else store.layers
    chosen = range(len(store)) if documents is None else documents
    make_folder(folder)
    if any(folder.iterdir()):
        raise StoreError(f"{folder}: not empty: choose a new folder for the export")
    files = {}
    for done, index in enumerate(chosen, start=1):
        name = f"{index:06d}.safetensors"
        files[store.document_ids[index]] = name
        write_bytes(folder / name, _document(store, index, wanted))
        if progress:
            progress(done, len(chosen))
    manifest = store.manifest.model_dump(mode="json")
    write_json(folder / INDEX, {"manifest": manifest, "layers": wanted, "files": files})
    return folder / INDEX


def _document(store: FeatureStore, index: int, layers: tuple[int, ...]) -> bytes:
    document = store.read(index, layers)
    tensors = {
        "hidden_states": document.states.contiguous(),
        "token_ids": document.token_ids,
        "chunk_index": document.chunk_index,
        "day": document.day,
        "bucket": document.bucket,
    }
    teacher = store.manifest.teacher
    metadata = {
        "document_id": document.document_id,
        "blocks_completed": ",".join(map(str, layers)),
        "teacher": teacher.name,
        "teacher_weights_sha256": teacher.weights_sha256,
    }
    return bytes(save(tensors, metadata))
