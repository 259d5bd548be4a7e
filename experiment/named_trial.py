"""By which names trials go on a command line: `--phase N`, or `--recipe NAME` as `train` has it."""

from ..common.errors import CheckpointError, UsageError
from .catalogue import recipes
from .phases import phase
from .run_folder import RunFolder
from .shipped import real_names

DEFAULT_PHASE = 4


def trial_name(recipe: str | None, number: int | None, default: int = DEFAULT_PHASE) -> str:
    """The name that is meant; the default phase's where nothing was said.

    Raises:
        UsageError: both were given.
        PhaseError: there is no such phase.
    """
    if recipe is not None and number is not None:
        raise UsageError(f"--phase {number} and --recipe {recipe}: give one of the two")
    if recipe is not None:
        return recipe
    return phase(default if number is None else number).recipe.name


def require_known(run: RunFolder, recipe: str) -> None:
    """Refuse a name that neither the catalogue has, nor a trial of the run, nor what ships.

    Raises:
        CheckpointError: names those that are there.
    """
    if recipe in recipes() or run.trials(recipe) or recipe in real_names():
        return
    names = sorted({trial.recipe for trial in run.trials()})
    there = f", or give --recipe with one that is there: {', '.join(names)}" if names else ""
    raise CheckpointError(
        f"{run.path}: {recipe} has no checkpoint in this run and none is shipped; train it first, "
        f"with --name {recipe}{there}"
    )
