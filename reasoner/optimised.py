"""Latents that were optimised for single documents, as a file: safetensors with its origin.

One tensor a document, `document_id` -> bfloat16 [K, R], and the record of where they come from in
the header of the file. Written by `latentcomp ceiling --save-latents`, read by `latentcomp train
--targets`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..common import atomic
from ..common.errors import LatentcompError
from ..common.record import Record
from ..store.format.schema import ModelIdentity

_HEADER: Final = "latentcomp"
"""Key of the record in the metadata of the file."""


class OptimisedRecord(Record):
    """What the latents of a file are of."""

    reasoner: ModelIdentity
    """Who reads them."""
    corpus_sha256: str
    """Of the corpus that the documents are from."""
    ratio: float
    """Tokens per latent."""
    positions: Literal["sequential", "tokens"]
    """Where the reasoner found them, as `model.positions` of a recipe."""
    settings: dict[str, Any]
    """How they were optimised."""
    provenance: dict[str, Any]
    """Code, versions, hardware."""
    format_version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Optimised:
    """A file of latents that has been read."""

    record: OptimisedRecord
    latents: Mapping[str, Tensor]
    """Document id -> [K, R]."""
    sha256: str
    """Of the file."""


def write_optimised(path: Path, latents: Mapping[str, Tensor], record: OptimisedRecord) -> None:
    """Write latents, rounded to bfloat16. Raises: StoreError, the disk is full and so on."""
    tensors = {
        name: x_KR.detach().to("cpu", torch.bfloat16).contiguous() for name, x_KR in latents.items()
    }
    atomic.write_bytes(path, save(tensors, {_HEADER: record.model_dump_json()}))


def read_optimised(path: Path) -> Optimised:
    """Read what `write_optimised` wrote.

    Raises:
        LatentcompError: the file is missing, damaged, or another kind of file.
    """
    try:
        with safe_open(path, "pt") as file:
            record = OptimisedRecord.model_validate_json((file.metadata() or {})[_HEADER])
            latents = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Optimised(record, latents, atomic.file_sha256(path))
    except (OSError, SafetensorError, KeyError, ValidationError) as error:
        reason = " ".join(str(error).split())[:120]
        raise LatentcompError(
            f"{path}: not a file of optimised latents ({type(error).__name__}: {reason}); write "
            "one with `latentcomp ceiling --save-latents FILE`"
        ) from error
