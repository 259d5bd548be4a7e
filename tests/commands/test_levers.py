"""A training can go on from what ships, whatever settings that was trained with."""

import pytest

from latentcomp.commands.levers import levers, shipped_levers
from latentcomp.compressor.config import ADDED, ModelConfig
from latentcomp.experiment.phases import phase
from latentcomp.experiment.shipped import shipped_by
from latentcomp.train.checkpoint import read_state
from latentcomp.train.recipe import parse_set

PLAIN = phase(4).recipe.changed(
    {f"model.{name}": ModelConfig.model_fields[name].default for name in ADDED}
)
"""Phase 4 without the settings that came after the first recipes."""


def test_what_ships_has_the_settings_of_the_recipe_but_its_start():
    """It began as the even mean of its layers, before the recipes began with one of them."""
    assert shipped_levers(phase(4).recipe) == ("model.residual_start=even",)


def test_with_its_levers_a_recipe_is_that_of_the_shipped_compressor():
    recipe = PLAIN
    trial = read_state(shipped_by("phase-4")[0]).trial
    assert trial is not None and recipe.model != trial.recipe.model
    assert recipe.changed(parse_set(list(shipped_levers(recipe)))).model == trial.recipe.model


@pytest.mark.parametrize(
    ("field", "value", "typed"),
    [("time", False, "false"), ("start", "identity", "identity"), ("width", 64, "64")],
)
def test_a_lever_is_written_as_it_is_typed(field, value, typed):
    state = read_state(shipped_by("phase-4")[0])
    assert state.trial is not None
    changed = state.trial.recipe.changed({f"model.{field}": value})
    other = state.model_copy(update={"trial": state.trial.model_copy(update={"recipe": changed})})
    assert f"model.{field}={typed}" in levers(other, PLAIN)


def test_of_a_recipe_that_never_ships_and_of_an_unknown_trial_nothing_differs():
    unknown = read_state(shipped_by("phase-4")[0]).model_copy(update={"trial": None})
    assert shipped_levers(phase(1).recipe) == levers(unknown, phase(4).recipe) == ()
