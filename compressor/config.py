"""What a compression model is made of: one record, with which recipes and checkpoints speak.

Pure data, without torch, so that a command line can read recipes quickly.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ProjectionKind = Literal["fixed_random", "learned"]
ScaleKind = Literal["fixed", "learned", "free"]


class ModelConfig(BaseModel):
    """Compressor and projection, up to the widths of the two models that they stand between."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "perceiver"
    """Row of `compressor.kinds.COMPRESSORS`."""
    width: int | None = Field(default=None, ge=2)
    """Inner width; None: twice the teacher's."""
    heads: int | None = Field(default=None, ge=1)
    """Attention heads; None: one for each 64 of the inner width."""
    blocks: int = Field(default=3, ge=0)
    """Blocks of cross-attention, self-attention and MLP."""
    mix: Literal["learned", "equal"] = "learned"
    """Weights of the teacher layers: learned, or all the same."""
    queries: Literal["local_mean", "learned"] = "local_mean"
    """What latents start from: the mean of their segment of tokens, or one learned vector."""
    residual: bool = True
    """Whether the mean-pooled teacher states are added to the latents (equal widths only)."""
    time: bool
    """Whether tokens carry bucket, chunk order and day."""
    latent_width: int | None = Field(default=None, ge=1)
    """Numbers of one latent; None: as many as a teacher state has."""
    projection: ProjectionKind
    """From latents to the reasoner's input space."""
    scale: ScaleKind
    """How the size of the projected latents is decided."""
    scale_multiple: float = Field(default=1.0, gt=0)
    """Size of the projected latents at the start, in multiples of the embeddings' RMS."""
    positions: Literal["sequential", "tokens"] = "sequential"
    """Where the reasoner finds the latents: one after the other, or where their tokens were."""
    options: dict[str, bool | int | float | str] = {}
    """What one kind of compressor needs and no other."""

    def resolved(self, teacher_width: int) -> "ModelConfig":
        """The same with every None replaced by what it means for a teacher of this width."""
        width = self.width or 2 * teacher_width
        return self.model_copy(
            update={
                "width": width,
                "heads": self.heads or max(1, width // 64),
                "latent_width": self.latent_width or teacher_width,
            }
        )
