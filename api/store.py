"""A store from Python: documents by number or id, layers by -k as on the command line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self, overload

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..common.errors import StoreError, UsageError
from ..models.layers import negative, resolve_layer
from ..store.format.layout import MANIFEST
from ..store.format.schema import LayerRecord, Manifest, ModelIdentity
from ..store.read.features import DocumentFeatures
from ..store.read.reader import FeatureStore

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One document of a store. States are read when they are asked for, and only those layers."""

    store: "Store"
    index: int
    """Its number in the store."""
    id: str
    tokens: int
    """How many the teacher read, the prompt's head included."""

    @property
    def token_ids(self) -> Tensor:
        """int64 [tokens], of the teacher's tokenizer."""
        return self._read(()).token_ids

    @property
    def days(self) -> tuple[int | None, ...]:
        """Day of every chunk; None where the source had none."""
        return self.store.features.days(self.index)

    @property
    def chunk_of_token(self) -> Tensor:
        """int64 [tokens], number of the chunk that each token belongs to."""
        return self._read(()).chunk_index

    def torch(self, layer: int | None = None) -> Tensor:
        """States in the dtype that they are stored in.

        Args:
            layer: -k as on the command line, or 0 for the embeddings; None for all layers.

        Returns:
            [tokens, hidden] of one layer; [tokens, layers, hidden] of all, in the order of
            `Store.layers`.

        Raises:
            UsageError: the store has no such layer.
            StoreError: data is missing or damaged.
        """
        if layer is None:
            return self._read(None).states
        return self._read((self.store.blocks_completed(layer),)).states[:, 0]

    def numpy(self, layer: int | None = None) -> Floats:
        """The same as a numpy array in float32, which has no bfloat16."""
        states: Floats = self.torch(layer).float().numpy()
        return states

    def _read(self, layers: tuple[int, ...] | None) -> DocumentFeatures:
        return self.store.features.read(self.index, layers)


class Store(Sequence[StoredDocument]):
    """The hidden states of a corpus, one document after the other.

    >>> store = Store.open("runs/lab")
    >>> store[0].torch(-6).shape, store["train-0-000003"].numpy(-6).mean()
    """

    def __init__(self, features: FeatureStore) -> None:
        """Of an open `FeatureStore`; `Store.open` takes a path."""
        self.features = features
        """The reader beneath, for what is not here: spans of tokens, epochs, statistics."""

    @classmethod
    def open(cls, path: Path | str, *, allow_partial: bool = False, check: str = "first") -> Self:
        """Open a store; the time this takes does not grow with its size.

        Args:
            path: folder or address (`s3://bucket/run/store`) of a store, or a local run folder.
            allow_partial: open one that is still being written, with what it has by now.
            check: `first` checks a chunk's CRC32C when it is first read, `always` every time.

        Raises:
            StoreError: no store, an unfinished one, or a damaged one.
        """
        if "://" not in str(path):
            path = Path(path).expanduser()
            if not (path / MANIFEST).is_file() and (path / "store" / MANIFEST).is_file():
                path = path / "store"
        return cls(FeatureStore(path, allow_partial=allow_partial, check=check))

    @property
    def manifest(self) -> Manifest:
        """What the store is of: teacher, layers, dtype, codec, corpus."""
        return self.features.manifest

    @property
    def teacher(self) -> ModelIdentity:
        """Whose states these are."""
        return self.manifest.teacher

    @property
    def layers(self) -> tuple[int, ...]:
        """Stored layers as -k of the command line, the shallowest first."""
        blocks = self.teacher.blocks
        return tuple(negative(layer, blocks) for layer in self.manifest.layers)

    @property
    def document_ids(self) -> tuple[str, ...]:
        """Of every document, in order."""
        return self.features.document_ids

    def blocks_completed(self, layer: int) -> int:
        """How many blocks a layer -k has passed. Raises: UsageError, it is not in the store."""
        blocks = self.teacher.blocks
        if -(blocks + 1) <= layer <= 0:
            record = resolve_layer(layer, blocks)
            if record in self.manifest.layers:
                return record.blocks_completed
        raise UsageError(
            f"{self.features.path}: layer {layer} is not in this store; it has "
            f"{', '.join(map(str, self.layers))} (-k is hidden_states[-k], as on the command line)"
        )

    def __len__(self) -> int:
        return len(self.features)

    @overload
    def __getitem__(self, key: int | str) -> StoredDocument: ...
    @overload
    def __getitem__(self, key: slice) -> list[StoredDocument]: ...
    def __getitem__(self, key: int | str | slice) -> StoredDocument | list[StoredDocument]:
        """A document by its number (negative: from the end) or its id; a slice gives a list.

        Raises:
            IndexError: no such number.
            StoreError: no such id.
        """
        if isinstance(key, slice):
            return [self._document(index) for index in range(*key.indices(len(self)))]
        if isinstance(key, str):
            if key not in self._index:
                raise StoreError(
                    f"{self.features.path}: no document {key!r} among {len(self):,}; the first is "
                    f"{self.document_ids[0]!r}"
                )
            return self._document(self._index[key])
        index = key + len(self) if key < 0 else key
        if not 0 <= index < len(self):
            raise IndexError(f"document {key} of {len(self)}")
        return self._document(index)

    def __iter__(self) -> Iterator[StoredDocument]:
        return (self._document(index) for index in range(len(self)))

    def __contains__(self, key: object) -> bool:
        return key in self._index if isinstance(key, str) else super().__contains__(key)

    def __repr__(self) -> str:
        layers = ", ".join(map(str, self.layers))
        return (
            f"Store({str(self.features.path)!r}: {len(self):,} documents, "
            f"{self.features.tokens:,} tokens, layers {layers} of {self.teacher.name!r}, "
            f"{self.manifest.dtype})"
        )

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.document_ids)}

    def _document(self, index: int) -> StoredDocument:
        tokens = int(self.features.lengths[index])
        return StoredDocument(self, index, self.document_ids[index], tokens)


def stored_layers(store: Store, wanted: Sequence[LayerRecord]) -> tuple[int, ...]:
    """Layers by blocks completed, as `FeatureStore.read` takes them.

    Raises:
        StoreError: the store lacks one.
    """
    for layer in wanted:
        if layer not in store.manifest.layers:
            blocks = store.teacher.blocks
            needed = ",".join(str(negative(each, blocks)) for each in wanted)
            raise StoreError(
                f"{store.features.path}: layer {negative(layer, blocks)} is not in this store, and "
                f"the compressor reads {needed}; extract with --layers {needed}"
            )
    return tuple(layer.blocks_completed for layer in wanted)
