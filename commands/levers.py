"""Settings of a compressor that a checkpoint has and a recipe has not, as `train` takes them."""

import json
from typing import Any

from ..experiment.shipped import shipped_by
from ..train import checkpoint
from ..train.recipe import Recipe


def shipped_levers(recipe: Recipe) -> tuple[str, ...]:
    """What `--set` takes so that a training of this recipe can go on from what ships of it.

    Args:
        recipe: of the catalogue.

    Raises:
        CheckpointError: what ships is damaged.
    """
    folders = shipped_by(recipe.name)
    return levers(checkpoint.read_state(folders[0]), recipe) if folders else ()


def levers(state: checkpoint.CheckpointState, recipe: Recipe) -> tuple[str, ...]:
    """`model.FIELD=VALUE` for every field in which a checkpoint's recipe is another than this one.

    Args:
        state: of the checkpoint; nothing is known of one that records no trial.
        recipe: that is to be trained.
    """
    if state.trial is None:
        return ()
    here = recipe.model.model_dump(mode="json")
    there = state.trial.recipe.model.model_dump(mode="json")
    return tuple(
        f"model.{name}={_typed(value)}" for name, value in there.items() if value != here[name]
    )


def _typed(value: Any) -> str:  # noqa: ANN401  any JSON value
    """As it is typed behind `--set`: words bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
