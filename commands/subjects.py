"""What is measured: the request of an evaluation, and the checkpoints that it names."""

from dataclasses import dataclass
from pathlib import Path

from ..common.errors import CheckpointError
from ..evaluate.scores import EXACT
from ..experiment.catalogue import recipes
from ..experiment.named_trial import require_known
from ..experiment.phases import PHASES
from ..experiment.present_run import SHIPPED_INSTEAD, require_run
from ..experiment.run_folder import RunFolder, TrialFolder
from ..experiment.shipped import real_folder, real_names
from ..experiment.suggest import train_command
from ..models.precision import AUTO
from ..train import checkpoint
from ..train.checkpoint import CheckpointState
from .trials import SHIPPED


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What is to be measured, and on what."""

    run: Path
    recipe: str
    """Name of the trials."""
    training_seeds: tuple[int, ...] = ()
    """Of the trials; every one there is when empty."""
    documents: int = 200
    seed: int = 1
    """Of the held-out documents."""
    preset: str = "lab"
    generator: int | None = None
    """Version of the world of generated documents; None: that of the teacher."""
    corpus: Path | None = None
    """Given documents instead of generated ones."""
    steps: int | None = None
    """Beginnings of each document that are read, asked what is known then; None: whole ones."""
    checkpoint: Path | None = None
    """Another checkpoint than those of the run."""
    teacher: str | None = None
    """By name; the one that the checkpoint was trained with when None."""
    reasoner: str | None = None
    """Likewise."""
    ratios: tuple[float, ...] = ()
    """Tokens per latent, one after the other; the recipe's first when empty."""
    device: str = "auto"
    batch_size: int = 8
    """Documents that are read, compressed and answered together."""
    arms: tuple[str, ...] = ()
    """Optional arms, besides those that every evaluation has."""
    rank: bool = False
    """Whether candidate answers are ranked too."""
    scorer: str = EXACT
    """What decides which answers are right: a key of `evaluate.scores.SCORERS`."""
    dtype: str = AUTO
    """Precision of the models; `auto`: that of the training, and float32 on a CPU."""
    answer_tokens: int | None = None
    """Most tokens of an answer; None: as the right answers need."""
    backend: str = "transformers"
    """Who computes the answers, or `vllm`."""
    summaries: Path | None = None
    """A file of the text teacher to take summaries from; None if the reasoner writes them."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One checkpoint that is measured."""

    trial: TrialFolder | None
    """None where the checkpoint was given."""
    weights: checkpoint.Checkpoint
    name: str
    """For messages and logs: `phase-2/seed-0`, or a path."""

    @property
    def state(self) -> CheckpointState:
        """Record of the checkpoint."""
        return self.weights.state

    @property
    def sha256(self) -> str:
        """Of its weights."""
        return self.state.sha256[checkpoint.MODEL]

    @property
    def heading(self) -> str:
        """For headings: what it is beside its phase, or in place of one."""
        if self.trial is None:
            return f"checkpoint {self.name}"
        if self.trial.shipped:
            return "the shipped checkpoint"
        record = self.state.known_trial
        seed = f"training seed {record.seed}"
        phases = {each.recipe.name for each in PHASES}
        return seed if record.recipe.name in phases else f"{record.recipe.name}, {seed}"

    @property
    def own(self) -> bool:
        """Whether it was trained in this run."""
        return self.trial is not None and not self.trial.shipped


def subjects_of(request: EvaluationRequest) -> list[Subject]:
    """The checkpoints that are measured; the shipped one where the run has none.

    Raises:
        CheckpointError: there is none.
        UsageError: there is no such run folder: a mistyped one would measure the shipped checkpoint
            in place of the user's.
    """
    run = RunFolder(request.run)
    if request.checkpoint is not None:
        weights = checkpoint.open_checkpoint(request.checkpoint)
        recipe = weights.state.known_trial.recipe.name
        if recipe != request.recipe:
            raise CheckpointError(
                f"{request.checkpoint}: a checkpoint of {recipe}, not of {request.recipe}; give "
                f"--recipe {recipe}, or another checkpoint"
            )
        return [Subject(None, weights, str(request.checkpoint))]
    trained = [each for each in run.trials(request.recipe) if checkpoint.exists(each.checkpoint)]
    if missing := sorted({*request.training_seeds} - {each.seed for each in trained}):
        raise CheckpointError(
            f"{run.path}: {request.recipe} was not trained with the seed {missing[0]}; "
            f"{_train_first(run, request.recipe, missing[0])}"
        )
    chosen = [each for each in trained if each.seed in (request.training_seeds or (each.seed,))]
    if chosen:
        opened = [(each, checkpoint.open_checkpoint(each.checkpoint)) for each in chosen]
        return [Subject(each, weights, str(each)) for each, weights in opened]
    require_run(run.path, SHIPPED_INSTEAD)
    real = request.recipe in real_names()
    shipped = real_folder(request.recipe) if real else SHIPPED / request.recipe
    if checkpoint.exists(shipped):
        folder = run.shipped(request.recipe)
        return [Subject(folder, checkpoint.open_checkpoint(shipped), str(folder))]
    require_known(run, request.recipe)
    raise CheckpointError(
        f"{run.path}: {request.recipe} has no checkpoint in this run and none is shipped; "
        f"{_train_first(run, request.recipe)}"
    )


def _train_first(run: RunFolder, recipe: str, seed: int | None = None) -> str:
    if recipe in recipes():
        return f"run `{train_command(run, recipe, seed)}` first"
    seeded = f" and --seed {seed}" if seed is not None else ""
    return f"train it first, with --name {recipe}{seeded}"
