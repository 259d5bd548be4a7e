"""Compressor and projection as one module, with the record that rebuilds it.

Shapes: B = documents, K = latents, E = latent width, R = reasoner width.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from ..common.errors import RecipeError
from ..store.format.schema import LayerRecord, ModelIdentity
from .adapters import ReaderAdapters
from .allocation import segments
from .config import ModelConfig
from .kinds import COMPRESSORS
from .memory import appended, by_chunk, counts_before, counts_of
from .projection import Projection
from .revise import revised
from .states import States


class ModelSpec(BaseModel):
    """Everything that decides which tensors there are and what they may be used with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    teacher: ModelIdentity
    """Whose states it reads."""
    reasoner: ModelIdentity
    """Whose input space it writes into."""
    layers: tuple[LayerRecord, ...]
    """Which states, in the order of the layer axis."""
    config: ModelConfig
    """Resolved: no None in it."""
    embedding_rms: float
    """Root mean square of the reasoner's embeddings when training began."""

    @classmethod
    def between(
        cls,
        config: ModelConfig,
        teacher: ModelIdentity,
        layers: tuple[LayerRecord, ...],
        reasoner: ModelIdentity,
        embedding_rms: float,
    ) -> Self:
        """What a config amounts to between these two models."""
        return cls(
            teacher=teacher,
            reasoner=reasoner,
            layers=layers,
            config=config.resolved(teacher.hidden_size),
            # Rounded: its last bits depend on the device, and a run may go on on another one.
            embedding_rms=round(embedding_rms, 6),
        )

    @property
    def latent_width(self) -> int:
        """E: numbers of one latent."""
        assert self.config.latent_width is not None
        return self.config.latent_width

    def build(self) -> "CompressionModel":
        """A fresh model of this shape.

        Raises:
            RecipeError: the config names no kind of compressor, or one that refuses it.
        """
        return CompressionModel(self)


@dataclass(frozen=True, slots=True)
class Compressed:
    """A batch of documents as the reasoner will see it."""

    x_BKR: Tensor
    """float32: vectors in the reasoner's input space."""
    mask_BK: Tensor
    """bool: real, not padding."""
    z_BKE: Tensor
    """The latents themselves, as they would be stored."""
    position_BK: Tensor | None
    """int64: positions at which the reasoner is to find them; None for one after the other."""
    after_B: Tensor | None
    """int64: position at which what follows begins; None for right after the last."""
    mass_BT: Tensor | None = None
    """float32: learned mass of each token; None where there is none."""
    latent_BT: Tensor | None = None
    """int64: which latent each token is in, where tokens go whole by learned mass, or chunks were
    compressed one by one into equal segments; None otherwise. Without meaning at padding."""
    adapters: nn.Module | None = None
    """What the reasoner reads these vectors with; None: it is frozen."""


class CompressionModel(nn.Module):
    """All that is trained: states in, vectors in the reasoner's input space out."""

    def __init__(self, spec: ModelSpec) -> None:
        """Fresh weights; see `ModelSpec.build`."""
        super().__init__()
        self.spec = spec
        config, width = spec.config, spec.teacher.hidden_size
        if config.kind not in COMPRESSORS:
            raise RecipeError(
                f"model.kind {config.kind!r}: there is no such compressor; "
                f"choose one of {', '.join(COMPRESSORS)}"
            )
        try:
            self.compressor = COMPRESSORS[config.kind](config, len(spec.layers), width)
        except ValueError as error:
            raise RecipeError(
                f"model.kind {config.kind!r}: {error}; change it with --set"
            ) from None
        self.projection = Projection(
            config.projection,
            config.scale,
            spec.latent_width,
            spec.reasoner.hidden_size,
            spec.embedding_rms,
            config.scale_multiple,
            normalise=config.end_norm,
        )
        self.adapters: ReaderAdapters | None = None
        if config.reader_rank:
            reader = spec.reasoner
            self.adapters = ReaderAdapters(reader.blocks, reader.hidden_size, config.reader_rank)

    def forward(self, states: States, counts_B: Tensor, max_latents: int) -> Compressed:
        """Compress every document into its number of latents and project them.

        Args:
            states: of the batch.
            counts_B: int64, latents of each document.
            max_latents: K, at least the largest count.
        """
        if self.spec.config.memory == "revise":
            latents = revised(self.compressor, states, counts_B, max_latents)
        else:
            latents = self.compressor(states, counts_B, max_latents)
        at_tokens = self.spec.config.positions == "tokens"
        return Compressed(
            x_BKR=self.projection(latents.z_BKE),
            mask_BK=latents.mask_BK,
            z_BKE=latents.z_BKE,
            position_BK=latents.position_BK.long() if at_tokens else None,
            after_B=states.mask_BT.sum(1) if at_tokens else None,
            mass_BT=latents.mass_BT,
            latent_BT=latents.latent_BT,
            adapters=self.adapters,
        )


def compress(model: nn.Module, states: States, ratio: float) -> Compressed:
    """Compress a batch at `ratio` tokens per latent.

    Args:
        model: a `CompressionModel`, wrapped or not.
        states: of the documents.
        ratio: tokens per latent; the number of latents is rounded up.
    """
    wrapped: Any = getattr(model, "module", model)  # as DistributedDataParallel has it
    spec: ModelSpec = wrapped.spec
    if spec.config.memory == "append":
        return _compress_chunks(model, states, ratio)
    return _compress_whole(model, states, ratio)


def _compress_whole(model: nn.Module, states: States, ratio: float) -> Compressed:
    # In float64, as the maximum: in float32, 33 / 3.3 is 10 where it is a little more in truth.
    counts_B = (states.tokens_B.double() / ratio).ceil().long().clamp(min=1)
    max_latents = math.ceil(states.mask_BT.shape[1] / ratio)
    compressed: Compressed = model(states, counts_B, max_latents)
    return compressed


def _compress_chunks(model: nn.Module, states: States, ratio: float) -> Compressed:
    """Each chunk alone, at the same ratio; its latents stand behind those of earlier chunks."""
    chunks, documents = by_chunk(states), len(states.mask_BT)
    asked_N = counts_of(chunks.states.tokens_B, chunks.document_N, documents, ratio)
    made: Compressed = model(chunks.states, asked_N, int(asked_N.max()))

    def join(values_NJX: Tensor) -> Tensor:
        return appended(values_NJX, made.mask_BK, chunks.document_N, documents)

    def spread(values_NS: Tensor) -> Tensor:
        where = chunks.states.mask_BT
        rows = chunks.document_N[:, None].expand_as(where)[where]
        out = values_NS.new_zeros(states.mask_BT.shape)
        return out.index_put((rows, chunks.place_NS[where]), values_NS[where])

    position_BK = after_B = mass_BT = latent_BT = None
    if made.position_BK is not None:
        start_N1 = chunks.place_NS[:, :1]
        position_BK, after_B = join(made.position_BK + start_N1), states.tokens_B
    counts_N, within_NS = made.mask_BK.sum(1), made.latent_BT
    if made.mass_BT is not None:
        mass_BT = spread(made.mass_BT)
    else:
        pool_NJS, *_ = segments(chunks.states.mask_BT, counts_N, made.mask_BK.shape[1])
        within_NS = pool_NJS.argmax(1)
    if within_NS is not None:
        before_N = counts_before(counts_N, chunks.document_N, documents)
        latent_BT = spread(within_NS + before_N[:, None])
    return Compressed(
        x_BKR=join(made.x_BKR),
        mask_BK=join(made.mask_BK),
        z_BKE=join(made.z_BKE),
        position_BK=position_BK,
        after_B=after_B,
        mass_BT=mass_BT,
        latent_BT=latent_BT,
        adapters=made.adapters,
    )
