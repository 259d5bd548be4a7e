"""A sweep trains and measures what is not there yet; what fails is shown and stops nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from latentcomp.commands import sweep as sweeping
from latentcomp.commands.jobs import Failure, Watch
from latentcomp.commands.sweep import (
    Sweep,
    evaluate_all,
    is_measured,
    is_trained,
    measuring_jobs,
    train_all,
)
from latentcomp.common.errors import TrainingError
from latentcomp.experiment.catalogue import recipe_named
from latentcomp.experiment.grid_result import read_grid
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.sizes import SIZES
from latentcomp.train import checkpoint

from ..experiment import runs

NAMES = ("phase-5", "ablation-no-time")
SEEDS = (0, 1)
FEW = 4


@pytest.fixture(scope="module")
def small_lab():
    """Documents that are made quickly, for this module."""
    with pytest.MonkeyPatch.context() as patch:
        runs.small_lab(patch)
        yield


@pytest.fixture
def sweep(tmp_path):
    return Sweep(run=tmp_path / "run", size=SIZES["laptop"], seeds=SEEDS, device="cpu")


@pytest.fixture
def trained(monkeypatch):
    """Trials in the order in which they were trained; nothing is trained in truth."""
    order: list[str] = []

    def train(request: Any) -> None:
        run, recipe = RunFolder(request.run), request.trained
        order.append(f"{recipe.name}/{request.seed}")
        if request.seed == 1 and recipe.name == "ablation-no-time":
            raise TrainingError("the gradient was not finite")
        runs.save_trial(run, recipe, request.seed)

    monkeypatch.setattr(sweeping, "train_trial", train)
    return order


@pytest.fixture
def measured(monkeypatch, small_lab):
    """Requests of evaluations; the reasoner follows a script."""
    requests: list[Any] = []

    def evaluate(request: Any) -> None:
        requests.append(request)
        run = RunFolder(request.run)
        for seed in request.training_seeds:
            trial = run.trial(request.recipe, seed)
            runs.save_evaluation(trial, run, documents=request.documents, seed=request.seed)

    monkeypatch.setattr(sweeping, "evaluate_trials", evaluate)
    return requests


WATCH = Watch()
"""Prints nothing."""
EVERY = ["phase-5/0", "phase-5/1", "ablation-no-time/0", "ablation-no-time/1"]


def test_a_trial_that_fails_stops_no_other_and_is_shown_as_failed(sweep, trained, measured):
    (failure,) = train_all(sweep, NAMES, WATCH)
    assert trained == EVERY
    assert failure.title == "train ablation-no-time/seed-1"
    run = RunFolder(sweep.run)
    record = json.loads(run.trial("ablation-no-time", 1).failure.read_text())
    assert record["reason"] == failure.reason == "the gradient was not finite"
    assert evaluate_all(sweep, NAMES, FEW, 7, WATCH) == ()
    result = read_grid(run, FEW, 7)
    assert result is not None
    status = {row.name: row.status for row in result.rows}
    assert status["no-time"] == "failed: the gradient was not finite"
    assert status["equal-mix"] == "missing"


def test_what_is_there_is_not_trained_again(sweep, trained):
    train_all(sweep, NAMES, WATCH)
    trained.clear()
    train_all(sweep, NAMES, WATCH)
    assert trained == ["ablation-no-time/1"], "the one that failed"


def test_a_trial_is_known_by_its_recipe_and_by_its_end(sweep, trained):
    """Of another size, stopped on the way, or with another option: it is trained."""
    run, recipe = RunFolder(sweep.run), recipe_named("phase-5")
    trial = run.trial("phase-5", 0)
    assert not is_trained(trial, recipe)
    for other, finished, expected in (
        (recipe, True, True),
        (recipe, False, False),
        (SIZES["tiny"].of(recipe), True, False),
        (recipe.changed({"model.blocks": 2}), True, False),
    ):
        runs.save_trial(run, other, 0, finished=finished)
        assert is_trained(trial, recipe) is expected
    opened = checkpoint.open_checkpoint(trial.checkpoint)
    (opened.folder / checkpoint.MODEL).write_bytes(b"")
    assert not is_trained(trial, recipe), "damaged: it is trained again"


def test_only_what_was_not_measured_on_these_documents_is(sweep, trained, measured):
    train_all(sweep, NAMES, WATCH)
    evaluate_all(sweep, NAMES, FEW, 7, WATCH)
    requests = [(each.recipe, each.training_seeds, each.documents, each.seed) for each in measured]
    assert requests == [("phase-5", (0, 1), FEW, 7), ("ablation-no-time", (0,), FEW, 7)]
    measured.clear()
    evaluate_all(sweep, NAMES, FEW, 7, WATCH)
    assert measured == []
    trial = RunFolder(sweep.run).trial("phase-5", 1)
    assert is_measured(trial, FEW, 7)
    assert not is_measured(trial, FEW, 8) and not is_measured(trial, FEW + 1, 7)
    runs.save_trial(RunFolder(sweep.run), phase(5).recipe, 1, weights=b"others")
    assert not is_measured(trial, FEW, 7), "of other weights"
    evaluate_all(sweep, NAMES, FEW, 7, WATCH)
    assert [(each.recipe, each.training_seeds) for each in measured] == [("phase-5", (1,))]


def test_jobs_in_processes_of_their_own_get_the_same_options(sweep, monkeypatch):
    """The command line of a job says all that the sweep says."""
    lines: list[tuple[str, ...]] = []

    def record(jobs, gpus, watch):
        lines.extend(job.arguments for job in jobs)
        return ()

    monkeypatch.setattr(sweeping, "run_jobs", record)
    other = replace(
        sweep, size=SIZES["lab"], seeds=(3,), teacher="a folder", reasoner="b", skip_order=True
    )
    train_all(other, ["phase-5"], WATCH)
    (line,) = lines
    assert line[0] == "train"
    pairs = list(zip(line[1:], line[2:], strict=False))
    for pair in (
        ("--recipe", "phase-5"),
        ("--size", "lab"),
        ("--seed", "3"),
        ("--run", str(sweep.run)),
        ("--device", "cpu"),
        ("--teacher", "a folder"),
        ("--reasoner", "b"),
    ):
        assert pair in pairs
    assert "--skip-order" in line


def test_several_jobs_share_a_gpu_and_trials_are_jobs_where_there_are_more_gpus(
    sweep, trained, monkeypatch
):
    train_all(sweep, NAMES, WATCH)
    slots: list[list[str]] = []
    seeds: list[list[str]] = []

    def record(jobs, gpus, watch):
        slots.append(list(gpus))
        seeds.append([job.title for job in jobs])
        return ()

    monkeypatch.setattr(sweeping, "run_jobs", record)
    monkeypatch.setattr(sweeping, "visible_gpus", lambda: ["0", "1"])
    on_gpus = replace(sweep, device="auto", jobs=2)
    train_all(on_gpus, NAMES, WATCH)
    evaluate_all(on_gpus, NAMES, FEW, 7, WATCH)
    monkeypatch.setattr(sweeping, "visible_gpus", lambda: ["0", "1", "2"])
    evaluate_all(on_gpus, NAMES, FEW, 7, WATCH)
    assert slots == [["0", "1"] * 2, ["0", "1"] * 2, ["0", "1", "2"] * 2]
    assert seeds[1] == ["evaluate phase-5, 2 trials", "evaluate ablation-no-time, 1 trial"]
    assert seeds[2] == [
        "evaluate phase-5, 1 trial",
        "evaluate phase-5, 1 trial",
        "evaluate ablation-no-time, 1 trial",
    ]
    assert replace(on_gpus, device="cpu").slots() == []


@pytest.mark.parametrize(("jobs", "together"), [(1, False), (2, False), (3, True)])
def test_what_is_compared_with_is_measured_beside_trainings_where_there_is_room(
    sweep, trained, monkeypatch, jobs, together
):
    """Two trainings: with two jobs a GPU there is no room; and its failure is none of theirs."""
    train_all(sweep, ["phase-4"], WATCH)
    ran: list[list[str]] = []

    def record(jobs, gpus, watch):
        ran.append([job.title for job in jobs])
        return tuple(Failure(job.title, "no room on the disk") for job in jobs)

    monkeypatch.setattr(sweeping, "run_jobs", record)
    monkeypatch.setattr(sweeping, "visible_gpus", lambda: ["0"])
    on_gpu = replace(sweep, device="auto", jobs=jobs)
    present, beside = measuring_jobs(on_gpu, ["phase-4"], FEW, 7)
    assert present == 0
    failed = train_all(on_gpu, ["phase-5"], WATCH, beside)
    trainings = ["train phase-5/seed-0", "train phase-5/seed-1"]
    assert ran == [[*trainings, "evaluate phase-4, 2 trials"] if together else trainings]
    assert [failure.title for failure in failed] == trainings


def test_nothing_is_measured_beside_trainings_that_are_there(sweep, trained, monkeypatch):
    train_all(sweep, ["phase-4", "phase-5"], WATCH)
    ran: list[str] = []

    def record(jobs, gpus, watch):
        ran.extend(job.title for job in jobs)
        return ()

    monkeypatch.setattr(sweeping, "run_jobs", record)
    monkeypatch.setattr(sweeping, "visible_gpus", lambda: ["0"])
    on_gpu = replace(sweep, device="auto", jobs=6)
    train_all(on_gpu, ["phase-5"], WATCH, measuring_jobs(on_gpu, ["phase-4"], FEW, 7)[1])
    assert ran == []
