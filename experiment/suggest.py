"""Commands that messages suggest, with the options that they need to do what the message says."""

import shlex
from collections.abc import Sequence

from ..common.errors import LatentcompError
from ..common.terminal import run_option
from ..models.names import lab_name
from ..store.format.layout import MANIFEST
from ..store.format.ledger import read_sealed
from ..store.format.schema import Manifest, ModelIdentity
from ..store.places.open import place_of
from ..train.checkpoint import exists, read_state
from ..train.recipe import Recipe
from .catalogue import recipes
from .known_models import known_model
from .phases import PHASES
from .run_folder import RunFolder
from .sizes import DEFAULT, size_of


def ladder_command(run: RunFolder, through: int) -> str:
    """`latentcomp ladder` up to a phase."""
    return f"latentcomp ladder --through {through}{_of_run(run)}"


def ablations_command(run: RunFolder) -> str:
    """`latentcomp ablations` at a size on which a verdict may rest; its folder is another."""
    teacher = model_option(run, "--teacher", teacher_of_run(run))
    return f"latentcomp ablations --size {DEFAULT} --run {run.path}{teacher}"


def train_command(
    run: RunFolder,
    recipe: str,
    seed: int | None = None,
    like: Recipe | None = None,
    layers: Sequence[int] = (),
) -> str:
    """`latentcomp train` for a recipe of the catalogue.

    Args:
        run: the run folder.
        recipe: its name.
        seed: of the training.
        like: recipe of another trial; the suggested one is to have its size.
        layers: other ones than the recipe's.
    """
    known = recipes()
    options = f" --recipe {recipe}" + (f" --seed {seed}" if seed is not None else "")
    if like is not None and like.name in known:
        size = size_of(like, known[like.name])
        options += f" --size {size.name}" if size and size.name != DEFAULT else ""
    options += f" --layers {','.join(map(str, layers))}" if layers else ""
    options += run_option(run.path)
    teacher = teacher_of_run(run)
    control = recipe not in known or known[recipe].reasoner == "teacher"
    if control:
        options += unknown_option(run, "--reasoner", teacher)
    return f"latentcomp train{options}"


def evaluate_command(
    run: RunFolder,
    *,
    phase: int | None = None,
    recipe: str | None = None,
    documents: int | None = None,
    seed: int | None = None,
    steps: int | None = None,
) -> str:
    """`latentcomp evaluate` for the trials of a phase or of a recipe."""
    given = {"phase": phase, "recipe": recipe, "documents": documents, "seed": seed, "steps": steps}
    options = "".join(f" --{name} {value}" for name, value in given.items() if value is not None)
    options += run_option(run.path)
    return f"latentcomp evaluate{options}{unknown_option(run, '--teacher', teacher_of_run(run))}"


def judge_command(run: RunFolder, phase: int, seed: int) -> str:
    """`latentcomp judge` for a phase on held-out documents of a seed."""
    return f"latentcomp judge --phase {phase} --seed {seed}{run_option(run.path)}"


def model_option(run: RunFolder, name: str, model: ModelIdentity | None) -> str:
    """The option that names a model; empty for the lab teacher, which is the default.

    Of a model in a local folder only the folder's name is recorded, unless the run knows more.
    """
    if model is None or lab_name(model) == "lab":
        return ""
    known = known_model(run, model)
    return f" {name} {shlex.quote(known) if known else f'FOLDER/{model.name}'}"


def unknown_option(run: RunFolder, name: str, model: ModelIdentity | None) -> str:
    """The same for commands that look into the run themselves; empty where they find it there."""
    known = model is None or known_model(run, model) is not None
    return "" if known else model_option(run, name, model)


def teacher_of_run(run: RunFolder) -> ModelIdentity | None:
    """Who read the documents of a run, by its store or by one of its trials; None if unknown."""
    try:
        if (run.store / MANIFEST).is_file():
            return read_sealed(place_of(run.store), MANIFEST, Manifest).teacher
        names = {each.recipe.name for each in PHASES} | recipes().keys()
        for trial in run.trials():
            if trial.recipe in names and exists(trial.checkpoint):
                return read_state(trial.checkpoint).spec.teacher
    except LatentcompError:
        pass  # the suggestion is then what it would be for the lab teacher
    return None


def _of_run(run: RunFolder) -> str:
    return run_option(run.path) + model_option(run, "--teacher", teacher_of_run(run))
