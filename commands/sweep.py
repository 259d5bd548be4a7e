"""Trials of several recipes and seeds, trained and evaluated where they are not yet.

What is there is found by the recipe's hash, so a sweep that was killed goes on where it stopped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.errors import CheckpointError
from ..common.options import Dtype, arguments
from ..evaluate.result import EvaluationResult
from ..experiment.catalogue import recipe_named
from ..experiment.run_folder import RunFolder, TrialFolder
from ..experiment.sizes import Size
from ..models.precision import AUTO
from ..train import checkpoint
from ..train.recipe import Recipe
from .evaluate import EvaluateOptions
from .evaluate_options import WHOLE
from .evaluation import evaluate_trials
from .jobs import Failure, Job, Watch, run_jobs, visible_gpus
from .train import TrainOptions
from .trials import train_trial


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is trained and measured, the same for every recipe."""

    run: Path
    size: Size
    seeds: tuple[int, ...]
    """Training seeds."""
    device: str = "auto"
    reasoner: str | None = None
    teacher: str = "lab"
    batch_size: int = 8
    """Documents of an evaluation that are read at once."""
    skip_order: bool = False
    workers: int | None = None
    jobs: int = 1
    """Trainings or evaluations that share a GPU."""
    dtype: Dtype = AUTO
    """Of the frozen models in a training; evaluations decide for themselves."""

    def slots(self) -> list[str]:
        """A GPU for each job that may run at once; empty without one."""
        return visible_gpus() * self.jobs if self.device != "cpu" else []

    def train_options(self, recipe: str, seed: int) -> TrainOptions:
        """The command that trains one trial."""
        return TrainOptions(
            recipe=recipe,
            size=self.size.name,
            seed=seed,
            run=self.run,
            device=self.device,
            reasoner=self.reasoner or self._own_reasoner(recipe),
            teacher=None if self.teacher == "lab" or not self._is_live(recipe) else self.teacher,
            skip_order=self.skip_order,
            workers=self.workers,
            dtype=self.dtype,
            save_every=1_000_000 if self.size.name == "tiny" else 100,
        )

    def _own_reasoner(self, recipe: str) -> str | None:
        """Of a control the teacher, where that is not the lab's."""
        control = recipe_named(recipe).reasoner == "teacher"
        return self.teacher if control and self.teacher != "lab" else None

    def _is_live(self, recipe: str) -> bool:
        return self.size.of(recipe_named(recipe)).data.source == "live"

    def evaluate_options(
        self,
        recipe: str,
        documents: int,
        seed: int,
        steps: int | None,
        arms: tuple[str, ...] = (),
    ) -> EvaluateOptions:
        """The command that measures the trials of a recipe."""
        return EvaluateOptions(
            recipe=recipe,
            training_seed=list(self.seeds),
            documents=documents,
            seed=seed,
            steps=steps or WHOLE,
            run=self.run,
            device=self.device,
            reasoner=self.reasoner,
            teacher=self.teacher,
            batch_size=self.batch_size,
            arms=",".join(arms),
            judge=False,
        )


def train_all(
    sweep: Sweep, recipes: Iterable[str], watch: Watch, beside: Sequence[Job] = ()
) -> tuple[Failure, ...]:
    """Train every recipe with every seed, where it is not trained yet.

    Args:
        sweep: what is the same for all.
        recipes: names of the trials.
        watch: is told of every job.
        beside: jobs that need none of these trainings, such as measurements of what they will be
            compared with. They are run where a GPU is shared by more jobs than there are trainings.

    Returns:
        The trainings that failed; a job beside them is for who needs it to try again.
    """
    jobs, present = [], 0
    for name in recipes:
        for seed in sweep.seeds:
            trial = RunFolder(sweep.run).trial(name, seed)
            if is_trained(trial, sweep.size.of(recipe_named(name))):
                present += 1
                continue
            options = sweep.train_options(name, seed)
            jobs.append(
                Job(
                    f"train {trial}",
                    trial.path,
                    lambda options=options: _train(options),  # type: ignore[misc]
                    ("train", *arguments(options, TrainOptions)),
                )
            )
    slots = sweep.slots()
    others = list(beside) if jobs and len(slots) > len(jobs) else []
    what = "trainings, and measurements beside them" if others else "trainings"
    watch.planned(what, present, len(jobs) + len(others))
    failed = run_jobs([*jobs, *others], slots, watch)
    trained = {job.title for job in jobs}
    return tuple(failure for failure in failed if failure.title in trained)


def evaluate_all(
    sweep: Sweep,
    recipes: Iterable[str],
    documents: int,
    seed: int,
    watch: Watch,
    steps: int | None = None,
    arms: tuple[str, ...] = (),
) -> tuple[Failure, ...]:
    """Measure the trained trials of every recipe on the same documents, where it was not done.

    The trials of a recipe share the arms without latents, the longest texts among them. Where
    there are more GPUs than recipes, each trial is a job of its own, which reads those arms once
    more; jobs that share a GPU would only do so in each other's time.

    Args:
        sweep: what is the same for all.
        recipes: names of the trials.
        documents: held out, whole ones.
        seed: of the documents.
        watch: is told of every job.
        steps: beginnings of each document that are read; None: whole documents.
        arms: optional ones that are measured too.
    """
    present, jobs = measuring_jobs(sweep, recipes, documents, seed, steps, arms)
    watch.planned("measurements", present, len(jobs))
    return run_jobs(jobs, sweep.slots(), watch)


def measuring_jobs(
    sweep: Sweep,
    recipes: Iterable[str],
    documents: int,
    seed: int,
    steps: int | None = None,
    arms: tuple[str, ...] = (),
) -> tuple[int, list[Job]]:
    """How many of the recipes are measured already, and a job for each that is not.

    Arguments are those of `evaluate_all`.
    """
    together: list[tuple[str, list[int]]] = []
    present, run, slots = 0, RunFolder(sweep.run), sweep.slots()
    for name in recipes:
        trained = [
            trial
            for trial in run.trials(name)
            if trial.seed in sweep.seeds and checkpoint.exists(trial.checkpoint)
        ]
        missing = [each.seed for each in trained if not is_measured(each, documents, seed, steps)]
        if not missing:
            present += bool(trained)
            continue
        together.append((name, missing))
    if len(set(slots)) > len(together):
        together = [(name, [each]) for name, missing in together for each in missing]
    jobs = []
    for name, missing in together:
        options = replace(
            sweep.evaluate_options(name, documents, seed, steps, arms), training_seed=missing
        )
        jobs.append(
            Job(
                f"evaluate {name}, {len(missing)} {'trial' if len(missing) == 1 else 'trials'}",
                run.trial(name, missing[0]).path,
                lambda options=options: _evaluate(options),  # type: ignore[misc]
                ("evaluate", *arguments(options, EvaluateOptions)),
            )
        )
    return present, jobs


def is_trained(trial: TrialFolder, recipe: Recipe) -> bool:
    """Whether the trial's checkpoint is that of this recipe, trained to its end."""
    if not checkpoint.exists(trial.checkpoint):
        return False
    try:
        state = checkpoint.open_checkpoint(trial.checkpoint).state
    except CheckpointError:
        return False
    same = state.trial is not None and state.trial.recipe.sha256 == recipe.sha256
    return same and state.finished is True


def is_measured(trial: TrialFolder, documents: int, seed: int, steps: int | None = None) -> bool:
    """Whether the weights that lie there were measured on these documents."""
    weights = trial.weights_sha256()
    for folder in trial.evaluations():
        result = EvaluationResult.read(folder.result)
        read = result.corpus.steps if result.corpus else None
        same = (result.documents, result.seed, read) == (documents, seed, steps)
        if same and result.checkpoint_sha256 == weights:
            return True
    return False


def _train(options: TrainOptions) -> None:
    train_trial(options.request())


def _evaluate(options: EvaluateOptions) -> None:
    evaluate_trials(options.request())
