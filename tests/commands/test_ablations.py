"""`latentcomp ablations` as a user meets it: what cannot work is said before it begins."""

import shlex

import pytest

from latentcomp.experiment.run_folder import RunFolder

from ..experiment import runs
from ..extract.command_line import run_command


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--size", "laptop"], "no finished store, and the size laptop trains from one"),
        (["--size", "lab"], "phase 7 needs a verdict on phase 6 first"),
        (["--size", "huge"], "--size huge: choose one of tiny"),
    ],
)
def test_what_every_training_would_refuse_is_one_line(capsys, tmp_path, options, says):
    ran = run_command(capsys, "ablations", "--run", tmp_path / "run", *options)
    assert says in ran.error
    assert "train" not in ran.out and not (tmp_path / "run" / "trials").exists()


def test_the_grid_says_where_it_stands_and_what_failed(capsys, tmp_path, monkeypatch):
    """One of the trainings is there, one fails: shown at once, in the table and at the end."""
    from latentcomp.commands import ablations, sweep
    from latentcomp.common.errors import TrainingError
    from latentcomp.experiment.ablations import ABLATIONS, ADDED
    from latentcomp.experiment.phases import phase
    from latentcomp.experiment.sizes import SIZES

    for row in set(ABLATIONS) - {"no-time", "equal-mix"}:
        monkeypatch.delitem(ABLATIONS, row)
    for row in tuple(ADDED):
        monkeypatch.delitem(ADDED, row)
    runs.small_lab(monkeypatch)
    run = RunFolder(tmp_path / "run")
    runs.save_trial(run, SIZES["tiny"].of(phase(5).recipe))

    def train(request):
        if request.trained.name == "ablation-no-time":
            raise TrainingError("the gradient was not finite")
        runs.save_trial(run, request.trained)

    def evaluate(request):
        trial = run.trial(request.recipe, 0)
        runs.save_evaluation(trial, run, documents=request.documents, seed=request.seed)

    monkeypatch.setattr(ablations, "_prepare", lambda options, run: None)
    monkeypatch.setattr(sweep, "train_trial", train)
    monkeypatch.setattr(sweep, "evaluate_trials", evaluate)
    ran = run_command(capsys, "ablations", "--run", run.path, "--device", "cpu")
    assert ran.code == 0, ran.err
    lines = [line.strip() for line in ran.out.splitlines()]
    assert lines[:2] == [
        "3 recipes x 1 seed at the size tiny",
        "trainings: 1 of 3 are there, 2 to do",
    ]
    failed = [line for line in lines if "the gradient was not finite" in line]
    assert failed[0].startswith("[2/2] failed:") and "failure.json" in failed[0]
    assert failed[1].startswith("no-time"), "in the table"
    assert "1 failed; mend what made them fail and run the same command again" in ran.out
    assert "measurements: 2 to do" in lines
    again = run_command(capsys, *shlex.split(f"ablations --run {run.path} --device cpu"))
    assert "trainings: 2 of 3 are there, 1 to do" in again.out
    assert "measurements: all 2 are there" in again.out
