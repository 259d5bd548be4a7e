"""A compressor from Python: documents, texts or a store in; latents out.

Shapes: B = documents, K = latents, E = width of a latent.
"""

import warnings
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

import torch

from ..common import provenance
from ..common.errors import StoreError, UsageError
from ..compressor.model import Compressed, CompressionModel, ModelSpec, compress
from ..compressor.states import pad_states
from ..extract.read_documents import read_documents
from ..models.layers import negative
from ..models.loading import CausalLM, resolve_device
from ..models.names import shown_name
from ..store.read.features import DocumentFeatures
from ..train import checkpoint
from ..train.record import TrialRecord
from .documents import Texts, as_documents
from .latents import DocumentLatents, DocumentRecord, Latents, LatentsRecord, fingerprint_of
from .models import load_recorded
from .pretrained import Opened, open_compressor, save_compressor
from .store import Store, stored_layers


class Compressor:
    """Teacher states to latents, and latents to vectors that one reasoner reads.

    >>> compressor = Compressor.from_pretrained("lab-4x")
    >>> latents = compressor.compress("Day 12: Ferrow moved to Oslo.")
    """

    def __init__(self, opened: Opened, *, device: str = "cpu", teacher: str | None = None) -> None:
        """Of an opened checkpoint; `from_pretrained` takes a name or a path."""
        self.opened = opened
        """Where it comes from, its record and its run."""
        self.device = resolve_device(device)
        self.model: CompressionModel = opened.weights.model().to(self.device).eval()
        self._teacher_name = teacher

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path, *, device: str = "cpu", teacher: str | None = None
    ) -> Self:
        """Load a compressor.

        Args:
            name_or_path: `lab-4x`, which ships; or a folder: of `save_pretrained`, a trial of a
                run (`runs/lab/trials/phase-4/seed-0`), or a checkpoint.
            device: as in torch, or `auto` for the GPU where there is one; of its teacher too.
            teacher: name or folder of the teacher, where the record cannot name it: it is needed
                for texts and documents, and not for a store.

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        return cls(open_compressor(name_or_path), device=device, teacher=teacher)

    def save_pretrained(self, folder: Path | str) -> Path:
        """Write weights, `config.json` and a model card with provenance into a folder of its own.

        Raises:
            LatentcompError: the folder holds something else, the disk is full, and so on.
        """
        return save_compressor(Path(folder), self.opened.weights)

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self.opened.name

    @property
    def run(self) -> Path | None:
        """The run folder that it was trained in, where it lies in one."""
        return self.opened.run

    @property
    def spec(self) -> ModelSpec:
        """Teacher, reasoner, layers and shape."""
        return self.model.spec

    @property
    def trial(self) -> TrialRecord:
        """What it was trained by. Raises: CheckpointError, a version before 0.2 did not say."""
        return self.opened.weights.state.known_trial

    @property
    def sha256(self) -> str:
        """Of its weights."""
        return self.opened.weights.state.sha256[checkpoint.MODEL]

    @property
    def layers(self) -> tuple[int, ...]:
        """Which states it reads, as -k of the command line, the shallowest first."""
        return tuple(negative(layer, self.spec.teacher.blocks) for layer in self.spec.layers)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Tokens per latent that it was trained for; the first is the default."""
        return self.trial.recipe.distinct_ratios

    @cached_property
    def teacher(self) -> CausalLM:
        """The model whose states it reads, loaded at the first use.

        Raises:
            CheckpointError, TeacherError: it cannot be named or loaded, or is another one.
        """
        device = str(self.device)
        return load_recorded("teacher", self.spec.teacher, self._teacher_name, device=device)

    def __repr__(self) -> str:
        ratios = ", ".join(f"{ratio:g}" for ratio in self.ratios)
        return (
            f"Compressor({self.name!r}: layers {', '.join(map(str, self.layers))} of "
            f"{shown_name(self.spec.teacher)!r} to latents of {self.spec.latent_width} numbers for "
            f"{shown_name(self.spec.reasoner)!r}, {ratios} tokens per latent)"
        )

    def compress(
        self, what: Texts | Store, *, ratio: float | None = None, batch_size: int = 8
    ) -> Latents:
        """Latents of documents, rounded to bfloat16: what is stored is what is measured.

        Args:
            what: a text, a document, several of them, the `Path` of a corpus, or a `Store`, from
                which nothing has to be read by the teacher again.
            ratio: tokens per latent; what it was trained for when None.
            batch_size: documents that are read and compressed at once.

        Raises:
            LatentcompError: the documents cannot be read, the store is of another teacher or lacks
                a layer, or the ratio is below 1.
        """
        chosen = self.ratios[0] if ratio is None else float(ratio)
        if not 1 <= chosen < float("inf"):
            raise UsageError(f"ratio {ratio!r}: tokens per latent are at least 1, such as 4")
        if batch_size < 1:
            raise UsageError(f"batch_size {batch_size}: give 1 or more")
        note = self.trial.untrained_ratio(chosen)
        if note:
            warnings.warn(note, UserWarning, stacklevel=2)
        made: list[DocumentLatents] = []
        for batch in _batches(self.read(what, batch_size), batch_size):
            made += self._compressed(batch, chosen)
        return Latents(made, self._record(made, chosen, note))

    def read(self, what: Texts | Store, batch_size: int = 8) -> Iterator[DocumentFeatures]:
        """Documents with the states that this compressor reads. Raises: as `compress`."""
        if isinstance(what, Store):
            return self._stored(what)
        documents = as_documents(what)
        return read_documents(self.teacher, documents, self.spec.layers, batch_size)

    def _stored(self, store: Store) -> Iterator[DocumentFeatures]:
        own, theirs = self.spec.teacher, store.teacher
        for what in ("weights_sha256", "tokenizer_sha256"):
            if getattr(own, what) != getattr(theirs, what):
                raise StoreError(
                    f"{store.features.path}: states of {theirs.name!r} ({what} "
                    f"{getattr(theirs, what)[:12]}...), and the compressor reads {own.name!r} "
                    f"({getattr(own, what)[:12]}...); extract with the right --teacher"
                )
        layers = stored_layers(store, self.spec.layers)
        return (store.features.read(index, layers) for index in range(len(store)))

    @torch.inference_mode()
    def _compressed(self, batch: list[DocumentFeatures], ratio: float) -> list[DocumentLatents]:
        states = pad_states(batch)
        out = compress(self.model, states.to(self.device), ratio)
        return [_document(features, row, out) for row, features in enumerate(batch)]

    def _record(self, made: list[DocumentLatents], ratio: float, note: str) -> LatentsRecord:
        inputs = {"compressor": self.sha256, "teacher": self.spec.teacher.weights_sha256}
        return LatentsRecord(
            compressor=self.name,
            compressor_sha256=self.sha256,
            teacher=self.spec.teacher,
            reasoner=self.spec.reasoner,
            layers=self.spec.layers,
            ratio=ratio,
            notes=(note,) if note else (),
            documents=tuple(
                DocumentRecord(id=one.id, tokens=one.tokens, fingerprint=one.fingerprint)
                for one in made
            ),
            provenance=provenance.collect({}, inputs).model_dump(mode="json"),
        )


def _batches(
    features: Iterator[DocumentFeatures], batch_size: int
) -> Iterator[list[DocumentFeatures]]:
    while batch := list(islice(features, batch_size)):
        yield batch


def _document(features: DocumentFeatures, row: int, out: Compressed) -> DocumentLatents:
    mask_K = out.mask_BK[row].cpu()
    positions = None if out.position_BK is None else out.position_BK[row].cpu()[mask_K]
    return DocumentLatents(
        id=features.document_id,
        vectors=out.z_BKE[row].cpu()[mask_K].to(torch.bfloat16).clone(),
        positions=None if positions is None else positions.clone(),
        tokens=len(features.token_ids),
        fingerprint=fingerprint_of(features),
    )
