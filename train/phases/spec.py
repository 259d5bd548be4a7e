"""What a phase is made of."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...compressor.projection import ProjectionKind, ScaleKind
from ..objectives import OBJECTIVES

CorpusKind = Literal["documents", "sequential"]
ReasonerKind = Literal["teacher", "student"]


class Weighted(BaseModel):
    """One objective and how much it counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    weight: float = Field(gt=0)

    def model_post_init(self, context: object, /) -> None:
        """Refuse an objective that does not exist."""
        if self.name not in OBJECTIVES:
            raise ValueError(f"objective {self.name!r}: there are {', '.join(OBJECTIVES)}")


class PhaseSpec(BaseModel):
    """One rung of the ladder, complete: the loop asks it everything and knows no numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    title: str
    learns: str
    """The question that this phase is there to answer."""
    layers: tuple[int, ...]
    """As in `--layers`: -k is `hidden_states[-k]` of the teacher."""
    time: bool
    """Whether the compressor is told bucket, chunk order and day."""
    projection: ProjectionKind
    scale: ScaleKind
    scale_multiple: float = 1.0
    """Size of the projected latents at the start, in multiples of the embeddings' RMS."""
    spread: bool = False
    """Whether latents stand at the positions of their tokens, or one after the other."""
    objectives: tuple[Weighted, ...]
    ratios: tuple[float, ...] = (4.0,)
    """Tokens per latent, one drawn for each step; the first is the one that is reported."""
    corpus: CorpusKind = "documents"
    reasoner: ReasonerKind = "teacher"
    available: bool = True
    """False where a part that this phase needs is not in this version; see `lacks`."""
    lacks: str = ""
