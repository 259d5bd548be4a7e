"""Commands that messages suggest, with the options that they need to do what the message says."""

from ..common.errors import LatentcompError
from ..common.terminal import run_option
from ..models.files import LAB_FOLDERS
from ..store.format.layout import MANIFEST
from ..store.format.ledger import read_sealed
from ..store.format.schema import Manifest, ModelIdentity
from ..store.places.open import place_of
from ..train.checkpoint import exists, read_state
from ..train.recipe import Recipe
from .catalogue import recipes
from .phases import PHASES
from .run_folder import RunFolder
from .sizes import DEFAULT, size_of


def ladder_command(run: RunFolder, through: int) -> str:
    """`latentcomp ladder` up to a phase."""
    return f"latentcomp ladder --through {through}{_of_run(run)}"


def ablations_command(run: RunFolder) -> str:
    """`latentcomp ablations` at a size on which a verdict may rest; its folder is another."""
    teacher = model_option("--teacher", teacher_of_run(run))
    return f"latentcomp ablations --size {DEFAULT} --run {run.path}{teacher}"


def train_command(
    run: RunFolder, recipe: str, seed: int | None = None, like: Recipe | None = None
) -> str:
    """`latentcomp train` for a recipe of the catalogue.

    Args:
        run: the run folder.
        recipe: its name.
        seed: of the training.
        like: recipe of another trial; the suggested one is to have its size.
    """
    known = recipes()
    options = f" --recipe {recipe}" + (f" --seed {seed}" if seed is not None else "")
    if like is not None and like.name in known:
        size = size_of(like, known[like.name])
        options += f" --size {size.name}" if size and size.name != DEFAULT else ""
    options += run_option(run.path)
    teacher = teacher_of_run(run)
    control = recipe not in known or known[recipe].reasoner == "teacher"
    if control:
        options += model_option("--reasoner", teacher)
    return f"latentcomp train{options}"


def evaluate_command(
    run: RunFolder,
    *,
    phase: int | None = None,
    recipe: str | None = None,
    documents: int | None = None,
    seed: int | None = None,
) -> str:
    """`latentcomp evaluate` for the trials of a phase or of a recipe."""
    given = {"phase": phase, "recipe": recipe, "documents": documents, "seed": seed}
    options = "".join(f" --{name} {value}" for name, value in given.items() if value is not None)
    return f"latentcomp evaluate{options}{_of_run(run)}"


def judge_command(run: RunFolder, phase: int, seed: int) -> str:
    """`latentcomp judge` for a phase on held-out documents of a seed."""
    return f"latentcomp judge --phase {phase} --seed {seed}{run_option(run.path)}"


def model_option(name: str, model: ModelIdentity | None) -> str:
    """The option that names a model; empty for the lab teacher, which is the default.

    Of a model in a local folder only the folder's name is recorded.
    """
    if model is None or (model.revision is None and model.name in LAB_FOLDERS):
        return ""
    return f" {name} {model.name if model.revision else f'FOLDER/{model.name}'}"


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
    return run_option(run.path) + model_option("--teacher", teacher_of_run(run))
