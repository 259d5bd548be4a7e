"""What a compression model is made of: one record, with which recipes and checkpoints speak.

Pure data, without torch, so that a command line can read recipes quickly.
"""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

ProjectionKind = Literal["fixed_random", "learned", "identity"]
ScaleKind = Literal["fixed", "learned", "free"]
ResidualStart = Literal["even", "first", "last"]


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
    residual_start: ResidualStart = "even"
    """Which layers it adds at the start: all alike, in shares that add up to one; or one alone, to
    which the others are added with weights that begin at zero: the first or the last in the order
    of depth, in which states are, however a recipe lists them. Unused where `mix` is `equal`."""
    time: bool
    """Whether tokens carry bucket, chunk order and day."""
    time_std: float = Field(default=0.02, gt=0)
    """Standard deviation of these three at the start, where what a token says has a size of about
    1; unused without `time`."""
    day_tokens: int = Field(default=0, ge=0, le=5)
    """Last digits of its day that stand as tokens before each chunk; unused without `time`."""
    day_start: Literal["fresh", "given", "tokens"] = "fresh"
    """Whether day tokens, a word before the digits, are given a latent each where they take a third
    of them at most, and with `tokens` begin as the reasoner's own; unused without `day_tokens`."""
    day_crowded: Literal["nothing", "shared"] = "nothing"
    """What day tokens are given where a latent each is more than that: no mass, or one latent for
    all of a chunk, where these are a third at most; unused where `day_start` is `fresh`."""
    latent_width: int | None = Field(default=None, ge=1)
    """Numbers of one latent; None: as many as a teacher state has."""
    projection: ProjectionKind
    """From latents to the reasoner's input space; `identity` is for equal widths."""
    scale: ScaleKind
    """How the size of the projected latents is decided."""
    scale_multiple: float = Field(default=1.0, gt=0)
    """Size of the projected latents at the start, in multiples of the embeddings' RMS."""
    positions: Literal["sequential", "tokens"] = "sequential"
    """Where the reasoner finds the latents: one after the other, or where their tokens were."""
    allocation: Literal["equal", "learned_mass"] = "equal"
    """Which tokens a latent stands for: as many each, or as much learned mass (`allocation.py`)."""
    mass_floor: float = Field(default=0.0, ge=0, lt=1)
    """Least mass of a token, in parts of what equal masses would be; unused by `equal`."""
    mass_kind: Literal["softmax", "sigmoid"] = "softmax"
    """How what the head says becomes mass: parts of all latents, or at most one latent for a token;
    unused by `equal`."""
    mass_edges: Literal["document", "chunk", "token"] = "document"
    """Where learned mass lets latents end: anywhere, also at every end of a chunk, or there and at
    ends of tokens alone (not with `concat`); unused by `equal`."""
    start: Literal["fresh", "identity"] = "fresh"
    """How branches begin: with random weights, or adding nothing, so that blocks are identities."""
    end_norm: bool = True
    """Whether latents and projected vectors are normalised; without, each keeps its own size."""
    pooling: Literal["mean", "concat"] = "mean"
    """What is taken of a segment: the mean of its tokens, or its slots side by side too."""
    slots: int = Field(default=4, ge=1)
    """Slots of a segment; unused by `mean`."""
    window: int | None = Field(default=None, ge=0)
    """Tokens on each side of its segment that a latent attends to; None: to the document."""
    mixing: int = Field(default=0, ge=0)
    """Layers that mix neighbouring tokens before there are latents."""
    mixing_kind: Literal["attention", "convolution"] = "attention"
    """How these layers mix: row of `compressor.mixing.MIXERS`."""
    mixing_window: int = Field(default=16, ge=1)
    """Tokens on each side that one such layer reads."""
    memory: Literal["whole", "append", "revise"] = "whole"
    """Whether a document is compressed at once, or chunk by chunk as it arrives: latents behind
    those of before (`memory.py`), or a memory of constant size rewritten (`revise.py`)."""
    reader_rank: int = Field(default=0, ge=0)
    """Rank of adapters on the reasoner's blocks, for what reads latents; 0: it stays frozen."""
    options: dict[str, bool | int | float | str] = {}
    """What one kind of compressor needs and no other."""

    def recorded(self) -> dict[str, Any]:
        """The config as hashes take it: fields that came later are left out at their default.

        So a record of a version without a field keeps its hash.
        """
        record = self.model_dump(mode="json")
        defaults = {name: type(self).model_fields[name].default for name in ADDED}
        return {k: v for k, v in record.items() if k not in ADDED or v != defaults[k]}

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


ADDED: Final = (
    "allocation", "mass_floor", "start", "end_norm", "pooling", "slots", "window", "mixing",
    "mixing_kind", "mixing_window", "memory", "time_std", "day_tokens",
    "day_start", "day_crowded", "mass_edges", "mass_kind", "reader_rank", "residual_start",
)  # fmt: skip
"""Fields that came after records with hashes of recipes had been written."""
