"""Sizes of an experiment: one budget for all recipes that are compared, fixed before they run.

A size changes the data, the optimiser and the budget of a recipe and nothing else. Two rows of
the grid are about these themselves: theirs is the size's own, with one change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..train.recipe import Recipe

PREFIX: Final = "ablation-"
"""Of the names of recipes that are rows of the grid (ablations.py)."""


def _half_data(recipe: Recipe) -> dict[str, Any]:
    """Half of the documents in as many steps."""
    return {"data.batch_size": max(1, recipe.data.batch_size // 2)}


def _other_optimiser(recipe: Recipe) -> dict[str, Any]:
    return {"optimiser.kind": "adamw" if recipe.optimiser.kind == "muon" else "muon"}


OWN_AMOUNT: Final[dict[str, Callable[[Recipe], dict[str, Any]]]] = {
    "half-data": _half_data,
    "other-optimiser": _other_optimiser,
}
"""Row of the grid -> what it changes of the full recipe at any size."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the trainings and evaluations of an experiment are."""

    name: str
    purpose: str
    changes: dict[str, Any]
    """Fields of a recipe, as `Recipe.changed` takes them."""
    documents: int
    """Held-out documents of an evaluation."""
    seeds: int
    """Training seeds of a comparison."""
    gated: bool
    """Whether a verdict may rest on it."""

    def of(self, recipe: Recipe) -> Recipe:
        """The recipe at this size.

        Args:
            recipe: of the catalogue; by its name it is known for a row of `OWN_AMOUNT`.
        """
        made = recipe.changed(self.changes)
        own = OWN_AMOUNT.get(recipe.name.removeprefix(PREFIX))
        return made if own is None else made.changed(own(made))


_LAB = {
    "data.source": "live",
    "data.batch_size": 128,
    "data.question_tokens": 255,
    "optimiser.kind": "muon",
    "optimiser.lr": 1.5e-3,
    "optimiser.matrix_lr": 3e-3,
    "optimiser.warmup_steps": 40,
    "optimiser.decay_start": 0.4,
    "budget.steps": 400,
}

SIZES: Final[dict[str, Size]] = {
    "tiny": Size(
        "tiny",
        "does every part run: minutes on two cores, no verdict",
        {
            "data.batch_size": 2,
            "data.question_tokens": 128,
            "optimiser.kind": "adamw",
            "optimiser.lr": 3e-4,
            "budget.steps": 4,
        },
        documents=4,
        seeds=1,
        gated=False,
    ),
    "laptop": Size(
        "laptop",
        "a CPU for an hour or a small GPU",
        {
            "data.batch_size": 8,
            "optimiser.kind": "adamw",
            "optimiser.lr": 3e-4,
            "budget.steps": 200,
        },
        documents=400,
        seeds=3,
        gated=True,
    ),
    "lab": Size(
        "lab",
        "the published size: one GPU, new documents in every step",
        _LAB,
        documents=400,
        seeds=3,
        gated=True,
    ),
}

DEFAULT: Final = "laptop"


def size_of(recipe: Recipe, catalogue: Recipe) -> Size | None:
    """The size at which a recipe is exactly that of the catalogue; None if there is none."""
    for size in SIZES.values():
        if size.of(catalogue).sha256 == recipe.sha256:
            return size
    return None
