"""Latents of documents: what a compressor makes, as a sequence and as a file.

A file is safetensors: tensor `N/latents`, bfloat16 [K, E], of document N, and where the reasoner is
to find them also `N/positions`, int64 [K]. The record of where they come from stands in the header
under `latentcomp`. Shapes: K = latents of a document, E = width of a latent.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Self, overload

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..common import atomic
from ..common.errors import LatentcompError
from ..common.record import Record
from ..store.format.schema import LayerRecord, ModelIdentity
from ..store.read.features import DocumentFeatures

HEADER: Final = "latentcomp-latents"
"""Key of the record in the metadata of the file."""


class DocumentRecord(Record):
    """What a file says of one of its documents."""

    id: str
    tokens: int
    """Tokens that the teacher read."""
    fingerprint: str
    """SHA-256 of these tokens and of the days and places of the chunks: what was compressed."""


class LatentsRecord(Record):
    """Where latents come from."""

    compressor: str
    """Name or path of the compressor, for messages."""
    compressor_sha256: str
    """Of its weights."""
    teacher: ModelIdentity
    """Whose states were compressed."""
    reasoner: ModelIdentity
    """Who is to read them, through the compressor's projection."""
    layers: tuple[LayerRecord, ...]
    """Which states."""
    ratio: float
    """Tokens per latent that were asked for."""
    notes: tuple[str, ...] = ()
    """What a reader of the answers has to know, such as a ratio that was not trained for."""
    documents: tuple[DocumentRecord, ...]
    content_sha256: str = ""
    """Of all tensors in order, so that a damaged file is known."""
    provenance: dict[str, Any]
    """Code, versions, hardware."""
    format_version: Literal[1] = 1


@dataclass(frozen=True, slots=True, eq=False)
class DocumentLatents:
    """The latents of one document."""

    id: str
    vectors: Tensor
    """bfloat16 [K, E]: what is stored and counted."""
    positions: Tensor | None
    """int64 [K]: where the reasoner finds them; None for one after the other."""
    tokens: int
    """Tokens of the document that they stand for."""
    fingerprint: str
    """Of what was compressed, as `fingerprint_of` gives it."""

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors, as evaluations count them."""
        return self.vectors.numel() * self.vectors.element_size()


class Latents(Sequence[DocumentLatents]):
    """Latents of documents, in order, with where they come from."""

    def __init__(self, documents: Sequence[DocumentLatents], record: LatentsRecord) -> None:
        """Made by `Compressor.compress` and by `Latents.load`."""
        self.documents = tuple(documents)
        self.record = record
        """Compressor, teacher, reasoner, ratio, provenance."""

    @property
    def ratio(self) -> float:
        """Tokens per latent that were asked for."""
        return self.record.ratio

    @property
    def document_ids(self) -> tuple[str, ...]:
        """Of every document, in order."""
        return tuple(one.id for one in self.documents)

    @property
    def nbytes(self) -> int:
        """Bytes of all vectors. A ratio in tokens is none in bytes: text is far smaller."""
        return sum(one.nbytes for one in self.documents)

    @property
    def tokens_per_latent(self) -> float:
        """Measured over all documents; a little under `ratio`, as counts are rounded up."""
        latents = sum(len(one) for one in self.documents)
        return sum(one.tokens for one in self.documents) / latents

    def __len__(self) -> int:
        return len(self.documents)

    @overload
    def __getitem__(self, key: int | str) -> DocumentLatents: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: int | str | slice) -> DocumentLatents | Self:
        """A document by number or id, or several by a slice. Raises: KeyError, IndexError."""
        if isinstance(key, str):
            return self.documents[self._index[key]]
        if isinstance(key, slice):
            kept = self.documents[key]
            return type(self)(kept, self.record.model_copy(update={"documents": _rows(kept)}))
        return self.documents[key]

    def __contains__(self, key: object) -> bool:
        return key in self._index if isinstance(key, str) else super().__contains__(key)

    def __repr__(self) -> str:
        return (
            f"Latents({len(self):,} documents at {self.ratio:g} tokens per latent, "
            f"{self.nbytes:,} bytes, by {self.record.compressor!r})"
        )

    @cached_property
    def _index(self) -> Mapping[str, int]:
        return {one.id: number for number, one in enumerate(self.documents)}

    def save(self, path: Path | str, *, overwrite: bool = False) -> Path:
        """Write a safetensors file, whole or not at all.

        Args:
            path: of the file; its folder is made if need be.
            overwrite: whether a file that is there is replaced.

        Raises:
            LatentcompError: there is a file already, the disk is full, and so on.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise LatentcompError(
                f"{path} is there already; choose another name, or say that it may be replaced "
                "(overwrite=True, on the command line --overwrite)"
            )
        tensors = _tensors(self.documents)
        kept = {"documents": _rows(self.documents), "content_sha256": _content_sha256(tensors)}
        record = self.record.model_copy(update=kept)
        atomic.make_folder(path.absolute().parent)
        atomic.write_bytes(path, save(tensors, {HEADER: record.model_dump_json()}))
        return path

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote.

        Raises:
            LatentcompError: missing, damaged, or another kind of file.
        """
        path = Path(path)
        try:
            with safe_open(path, "pt") as file:
                header = (file.metadata() or {}).get(HEADER)
                if header is None:
                    raise LatentcompError(
                        f"{path}: a safetensors file, but not one of latents; write one with "
                        "Latents.save or `latentcomp compress`"
                    )
                record = LatentsRecord.model_validate_json(header)
                tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        except (OSError, SafetensorError, ValidationError) as error:
            reason = " ".join(str(error).split())[:120]
            raise LatentcompError(
                f"{path}: cannot be read as latents ({reason}); write it again with Latents.save "
                "or `latentcomp compress`"
            ) from error
        named = {f"{number:08d}/latents" for number in range(len(record.documents))}
        if not named <= tensors.keys() or _content_sha256(tensors) != record.content_sha256:
            raise LatentcompError(
                f"{path}: the file is damaged (its content is not what its header names); compress "
                "the documents again, or restore it from a copy"
            )
        return cls([_document(row, n, tensors) for n, row in enumerate(record.documents)], record)

    def require_current(self, documents: Sequence[DocumentFeatures]) -> None:
        """Refuse latents of another state of these documents: a stale file.

        Args:
            documents: as the teacher would read them now; all must be here.

        Raises:
            LatentcompError: one has no latents, or was changed since they were made.
        """
        for features in documents:
            name = features.document_id
            if name not in self._index:
                raise LatentcompError(
                    f"document {name!r} has no latents here ({len(self)} documents, the first is "
                    f"{self.documents[0].id!r}); compress it too"
                )
            if self[name].fingerprint != fingerprint_of(features):
                raise LatentcompError(
                    f"document {name!r} was changed since its latents were made "
                    f"({self.record.provenance.get('created_utc', 'when is not recorded')}); they "
                    "are stale: compress it again"
                )


def fingerprint_of(features: DocumentFeatures) -> str:
    """SHA-256 of the tokens of a document and of the places and days of its chunks."""
    digest = hashlib.sha256()
    for part in (features.token_ids.numpy(), features.spans, features.days, features.buckets):
        numbers = part.astype("<i8")
        digest.update(len(numbers).to_bytes(8, "little") + numbers.tobytes())
    return digest.hexdigest()


def _rows(documents: Sequence[DocumentLatents]) -> tuple[DocumentRecord, ...]:
    return tuple(
        DocumentRecord(id=one.id, tokens=one.tokens, fingerprint=one.fingerprint)
        for one in documents
    )


def _tensors(documents: Sequence[DocumentLatents]) -> dict[str, Tensor]:
    """Numbered, as a document may have any id and a tensor may not have every name."""
    tensors = {f"{n:08d}/latents": one.vectors.contiguous() for n, one in enumerate(documents)}
    for number, one in enumerate(documents):
        if one.positions is not None:
            tensors[f"{number:08d}/positions"] = one.positions.contiguous()
    return dict(sorted(tensors.items()))


def _content_sha256(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _document(row: DocumentRecord, number: int, tensors: Mapping[str, Tensor]) -> DocumentLatents:
    vectors, positions = (f"{number:08d}/{what}" for what in ("latents", "positions"))
    return DocumentLatents(
        row.id, tensors[vectors], tensors.get(positions), row.tokens, row.fingerprint
    )
