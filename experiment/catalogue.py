"""Recipes by name: those of the phases and those of the ablations, at a size, with changes."""

from typing import Any

from ..common.errors import RecipeError, UsageError
from ..train.recipe import Recipe
from .ablations import ablated, rows
from .phases import PHASES, phase
from .sizes import DEFAULT, SIZES, Size


def recipes() -> dict[str, Recipe]:
    """Every recipe of the catalogue at the default size, by name."""
    named = {each.recipe.name: each.recipe for each in PHASES}
    return named | {recipe.name: recipe for recipe in map(ablated, rows())}


def recipe_named(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        RecipeError: there is no such recipe; the message lists those there are.
    """
    known = recipes()
    if name not in known:
        raise RecipeError(f"recipe {name!r}: there is none; choose one of {', '.join(known)}")
    return known[name]


def phase_of(recipe: str) -> int:
    """Number of the phase whose turn it has to be before this recipe is trained.

    Raises:
        RecipeError: there is no such recipe.
    """
    for each in PHASES:
        if each.recipe.name == recipe:
            return each.number
    recipe_named(recipe)
    return next(each.number for each in PHASES if each.grid)


def steps_of(recipe: str) -> int | None:
    """Beginnings of each document that trials of this name are measured on by their own phase."""
    return next((each.steps for each in PHASES if each.recipe.name == recipe), None)


def known_steps(recipe: str) -> set[int | None]:
    """The same of every phase that rests on these trials: their own, and those compared with it."""
    references = {
        each.steps
        for each in PHASES
        if each.reference is not None and phase(each.reference).recipe.name == recipe
    }
    return {steps_of(recipe), *references}


def size_named(name: str) -> Size:
    """Look a size up.

    Raises:
        UsageError: there is no such size.
    """
    if name not in SIZES:
        raise UsageError(f"--size {name}: choose one of {', '.join(SIZES)}")
    return SIZES[name]


def resolve(recipe: str | None, number: int | None, size: str | None) -> Recipe:
    """The recipe that a command line names, at its size.

    Raises:
        UsageError: neither a phase nor a recipe is named, or both are.
        RecipeError, PhaseError: there is no such recipe, or phase.
    """
    if (recipe is None) == (number is None):
        raise UsageError("give either --phase N or --recipe NAME")
    chosen = recipe_named(recipe) if recipe is not None else phase(number or 0).recipe
    return size_named(size or DEFAULT).of(chosen)


def changes_of(given: dict[str, Any]) -> dict[str, Any]:
    """Fields that were given on the command line: those that are not None."""
    return {field: value for field, value in given.items() if value is not None}
