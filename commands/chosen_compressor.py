"""Which compressor `compress` and `ask` use: one that is named, or a trial of a run."""

from pathlib import Path

from ..common.errors import CheckpointError, UsageError
from ..common.terminal import DEFAULT_RUN
from ..experiment.named_trial import require_known, trial_name
from ..experiment.present_run import require_run
from ..experiment.run_folder import RunFolder, TrialFolder


def chosen_compressor(
    compressor: str | None,
    run: Path | None,
    phase: int | None,
    recipe: str | None,
    training_seed: int | None,
) -> str | None:
    """Name or folder of a compressor; None where nothing was said.

    Args:
        compressor: as `--compressor` names it.
        run: run folder; the default one where a trial is named and no run.
        phase: of the trial.
        recipe: name of the trial, in place of a phase.
        training_seed: of the trial; needed where there are several.

    Raises:
        UsageError: options that exclude each other, no such run, or several trials.
        PhaseError, CheckpointError: no such phase, or no such trial.
    """
    given = {"--run": run, "--phase": phase, "--recipe": recipe, "--training-seed": training_seed}
    named = {name: value for name, value in given.items() if value is not None}
    if not named:
        return compressor
    if compressor is not None:
        name, value = next(iter(named.items()))
        raise UsageError(
            f"--compressor {compressor} and {name} {value} exclude each other: a trial of a run is "
            "named by --run, --phase or --recipe, and --training-seed"
        )
    folder = RunFolder(DEFAULT_RUN if run is None else run)
    require_run(folder.path)
    wanted = None
    if phase is not None or recipe is not None:
        wanted = trial_name(recipe, phase)
        require_known(folder, wanted)
    return str(_only(folder, wanted, training_seed).path)


def _only(run: RunFolder, recipe: str | None, seed: int | None) -> TrialFolder:
    trials = [each for each in run.trials(recipe) if each.has_checkpoint]
    fitting = [each for each in trials if seed in (None, each.seed)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(
            f"{run.path}: {len(fitting)} trials fit ({', '.join(map(str, fitting))}); "
            "name one with --recipe and --training-seed"
        )
    what = "no trial" if recipe is None else f"no trial of {recipe}"
    what += "" if seed is None else f" with the training seed {seed}"
    there = ", ".join(str(each) for each in run.trials() if each.has_checkpoint)
    step = f"there are {there}" if there else "train one first, or leave these options out"
    raise CheckpointError(f"{run.path}: {what} has a checkpoint here; {step}")
