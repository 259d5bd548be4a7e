"""Everything one training needs, gathered before it starts."""

from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator

from ..compressor.model import CompressionModel
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

    @property
    def recipe(self) -> Recipe:
        """What decides the training."""
        return self.record.recipe
