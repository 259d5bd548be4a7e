"""What is to be trained: the request of a trial, as the command line makes it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..models.precision import AUTO
from ..train.recipe import Recipe
from .batches import BatchSettings

MODELS: Final = {"teacher": "lab", "student": "lab-student"}
"""Models of the lab for each role, where none is named."""


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """What is to be trained, from what, and where."""

    run: Path
    recipe: Recipe
    """As the catalogue has it, at a size."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of the recipe that the command line changes; recorded."""
    seed: int = 0
    name: str | None = None
    """Another folder name than the recipe's."""
    teacher: str | None = None
    """Who reads documents that are made on the fly; the lab teacher when None."""
    reasoner: str | None = None
    """Model name or path; that of the recipe's role when None."""
    start: str = "fresh"
    """`fresh`, `shipped`, `auto` (shipped where it fits) or the path of a checkpoint."""
    strict: bool = True
    """Whether these weights have to be of the same models and settings; else what fits is taken."""
    device: str = "auto"
    skip_order: bool = False
    """Whether the binding order may be left; recorded in everything that follows."""
    batches: BatchSettings = BatchSettings()
    save_every: int = 25
    """Steps between checkpoints."""
    targets: Path | None = None
    """Latents optimised per document, for the objective `regression`."""
    restart: bool = False
    """Whether an earlier trial of this name and seed is put aside."""
    dtype: str = AUTO
    """Precision of the models; `auto`: that of an earlier session, else the usual one."""
    compute_again: bool | None = None
    """Whether the reasoner's blocks are computed again going backward; None: of a large one."""

    @property
    def trained(self) -> Recipe:
        """The recipe with its changes."""
        return self.recipe.changed(self.changes, name=self.name or self.recipe.name)
