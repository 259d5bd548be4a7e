"""Everything one training needs, gathered before it starts."""

from dataclasses import dataclass, field
from pathlib import Path

from accelerate import Accelerator

from ..compressor.model import CompressionModel
from ..models.token_kinds import TokenKinds
from ..reasoner.frozen import FrozenReasoner
from .batches import Batches
from .recipe import Recipe
from .record import TrialRecord
from .targets import Targets


@dataclass(slots=True)
class Run:
    """What the loop runs."""

    record: TrialRecord
    """Recipe, seed, data and start; kept in every checkpoint."""
    model: CompressionModel
    reasoner: FrozenReasoner
    batches: Batches
    folder: Path
    """Of the trial."""
    accelerator: Accelerator
    save_every: int = 25
    """Steps between checkpoints."""
    targets: Targets | None = None
    """Latents optimised per document, for the objective that compares with them."""
    kinds: TokenKinds | None = field(init=False, default=None)
    """Of the teacher's vocabulary, for figures of learned mass; None where they are not needed or
    the reasoner has another vocabulary."""

    def __post_init__(self) -> None:
        spec = self.model.spec
        if spec.config.allocation == "learned_mass":
            self.kinds = TokenKinds.of_teacher(spec.teacher, self.reasoner.lm)

    @property
    def recipe(self) -> Recipe:
        """What decides the training."""
        return self.record.recipe
