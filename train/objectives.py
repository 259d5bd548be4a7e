"""What the compressor is trained for: a plain table, one objective a function and a row.

The functions stand in `train/losses/`, a file for each idea; each takes a `Step`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from ..common.errors import RecipeError
from .losses import answers, latents
from .losses.localization import localization
from .recipe import Recipe
from .step import Step as Step


@dataclass(frozen=True, slots=True)
class Objective:
    """One row of the table."""

    loss: Callable[[Step], Tensor]
    needs_states: bool = False
    """Whether it compares hidden states of the reasoner."""
    reads_document: bool = False
    """Whether the reasoner reads or names the document's own tokens, which are the teacher's."""
    needs_attention: bool = False
    """Whether it looks at the reasoner's attention to the latents."""
    needs_targets: bool = False
    """Whether it compares with latents optimised per document (`train --targets`)."""


OBJECTIVES: Final[dict[str, Objective]] = {
    "answer": Objective(answers.answer),
    "alignment": Objective(answers.alignment, needs_states=True, reads_document=True),
    "distillation": Objective(answers.distillation, reads_document=True),
    "reverse_distillation": Objective(answers.reverse_distillation, reads_document=True),
    "mixed_distillation": Objective(answers.mixed_distillation, reads_document=True),
    "localization": Objective(localization, needs_attention=True),
    "reconstruction": Objective(latents.reconstruction, reads_document=True),
    "regression": Objective(latents.regression, needs_targets=True),
}


def check_objectives(recipe: Recipe) -> None:
    """Refuse a recipe that names an objective which does not exist.

    Raises:
        RecipeError: names it and those there are.
    """
    for name in recipe.objectives:
        if name not in OBJECTIVES:
            raise RecipeError(
                f"objectives.{name}: there is no such objective; choose of {', '.join(OBJECTIVES)}"
            )


def alignment_depths(blocks: int) -> tuple[int, ...]:
    """Six depths, evenly spread over the reasoner, the last block included."""
    return tuple(dict.fromkeys(max(1, round(blocks * share / 6)) for share in range(1, 7)))
