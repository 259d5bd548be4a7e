"""Compressor and projection as one module, with the record that rebuilds it.

Shapes: B = documents, K = latents, E = latent width, R = reasoner width.
"""

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from ..store.format.schema import LayerRecord, ModelIdentity
from .perceiver import Compressor, CompressorShape
from .projection import Projection, ProjectionKind, ScaleKind
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
    time: bool
    projection: ProjectionKind
    scale: ScaleKind
    scale_multiple: float
    spread: bool = False
    """Whether latents take the positions of the tokens that they stand for."""
    embedding_rms: float
    """Root mean square of the reasoner's embeddings when training began."""
    latent_width: int
    reasoner_width: int
    width: int = 256
    heads: int = 4
    blocks: int = 3

    def build(self) -> "CompressionModel":
        """A fresh model of this shape."""
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


class CompressionModel(nn.Module):
    """All that is trained: states in, vectors in the reasoner's input space out."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.compressor = Compressor(
            CompressorShape(
                layers=len(spec.layers),
                teacher_width=spec.teacher.hidden_size,
                latent_width=spec.latent_width,
                width=spec.width,
                heads=spec.heads,
                blocks=spec.blocks,
                time=spec.time,
            )
        )
        self.projection = Projection(
            spec.projection,
            spec.scale,
            spec.latent_width,
            spec.reasoner_width,
            spec.embedding_rms,
            spec.scale_multiple,
        )

    def forward(self, states: States, counts_B: Tensor, most: int) -> Compressed:
        """Compress every document into its number of latents and project them.

        Args:
            states: of the batch.
            counts_B: int64, latents of each document.
            most: K, at least the largest count.
        """
        latents = self.compressor(states, counts_B, most)
        spread = self.spec.spread
        return Compressed(
            x_BKR=self.projection(latents.z_BKE),
            mask_BK=latents.mask_BK,
            z_BKE=latents.z_BKE,
            position_BK=latents.position_BK.long() if spread else None,
            after_B=states.mask_BT.sum(1) if spread else None,
        )


def compress(forward: nn.Module, states: States, ratio: float) -> Compressed:
    """Compress a batch at `ratio` tokens per latent.

    Args:
        forward: a `CompressionModel`, wrapped or not.
        states: of the documents.
        ratio: tokens per latent; the number of latents is rounded up.
    """
    # In float64, as `most`: in float32, 33 / 3.3 is 10 where it is a little more in truth.
    counts_B = (states.tokens_B.double() / ratio).ceil().long().clamp(min=1)
    most = math.ceil(states.mask_BT.shape[1] / ratio)
    compressed: Compressed = forward(states, counts_B, most)
    return compressed
