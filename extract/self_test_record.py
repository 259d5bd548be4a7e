"""What `extract.json` keeps of the self-test of a session."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LayerAgreement(_FrozenModel):
    """How far one layer of the real path is from the reference; errors are relative L2."""

    blocks_completed: int
    post_norm: bool
    float32: float | None
    """Worst token, both in float32; None where another engine reads, which has its own weights."""
    error: float
    """In the run's precision against the reference in float32: 95 % of the tokens are nearer."""
    noise: float
    """The same of the reference itself in the run's precision: what rounding alone does."""


class SelfTest(_FrozenModel):
    """Result of the self-test that a session passed before it read anything."""

    documents: tuple[int, ...]
    """Tokens of the documents that shared a batch."""
    reference: Literal["whole", "cut"]
    """Whether the reference was the whole model, or one that ends a block behind the deepest
    layer because the whole does not fit into the memory."""
    compute_dtype: str
    reading: str
    layers: tuple[LayerAgreement, ...]
    seconds: float
    """Without loading the model."""
