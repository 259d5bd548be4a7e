"""The one place that knows paths: trials, evaluations, and what is put aside."""

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.evaluate.arms.table import REQUIRED_ARMS
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder

from . import runs


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


def test_trials_are_listed_by_recipe_and_seed(run):
    for recipe, seed in (("phase-2", 10), ("phase-2", 9), ("phase-1", 0)):
        (run.trial(recipe, seed).path).mkdir(parents=True)
    for other in ("phase-2/seed-x", "phase-2/seed-9.replaced-1", "phase-2/other"):
        (run.path / "trials" / other).mkdir()
    (run.path / "trials" / "a file").write_text("")
    assert [str(trial) for trial in run.trials()] == [
        "phase-1/seed-0",
        "phase-2/seed-9",
        "phase-2/seed-10",
    ]
    assert [trial.seed for trial in run.trials("phase-2")] == [9, 10]
    assert run.trials("phase-3") == ()


def test_an_empty_run_has_no_trials(run):
    assert run.trials() == run.every() == ()


def test_shipped_weights_have_a_folder_for_their_evaluations_alone(run):
    shipped = run.shipped("phase-4")
    assert str(shipped) == "phase-4/shipped"
    shipped.path.mkdir(parents=True)
    assert run.trials() == () and run.every() == (shipped,)


def test_an_evaluation_is_never_overwritten(small_lab, run):
    trial = runs.save_trial(run, phase(1).recipe)
    folders = [runs.save_evaluation(trial, run, documents=4) for _ in range(3)]
    first = folders[0].path.name
    assert [folder.path.name for folder in folders] == [first, f"{first}-2", f"{first}-3"]
    assert list(trial.evaluations()) == folders, "the oldest first"


def test_an_evaluation_counts_only_when_it_is_whole(small_lab, run):
    trial = runs.save_trial(run, phase(1).recipe)
    killed, whole = (runs.save_evaluation(trial, run, documents=4) for _ in range(2))
    killed.result.unlink()
    assert list(trial.evaluations()) == [whole]
    assert trial.new_evaluation(killed.path.name).path not in (killed.path, whole.path)


def test_a_trial_is_put_aside_and_nothing_is_lost(run):
    trial = run.trial("phase-1", 3)
    trial.put_aside()  # there is none: nothing happens
    for number in (1, 2):
        trial.path.mkdir(parents=True)
        (trial.path / "file").write_text(str(number))
        trial.put_aside()
        aside = run.path / "trials" / "phase-1" / f"seed-3.replaced-{number}"
        assert (aside / "file").read_text() == str(number)
    assert run.trials() == ()


def test_a_trial_that_cannot_be_put_aside_is_one_line(run, monkeypatch):
    trial = run.trial("phase-1", 0)
    trial.path.mkdir(parents=True)

    def denied(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(trial.path), "rename", denied)
    with pytest.raises(LatentcompError, match="cannot write here") as caught:
        trial.put_aside()
    assert "\n" not in str(caught.value)


def test_the_script_of_these_tests_answers_every_required_arm(small_lab):
    from latentcomp.evaluate.held_out import held_out

    documents = held_out(None, "lab", 2, 1).documents
    rows = runs.script(documents, {"compressed": 1.0, "ceiling": 1.0})
    assert {row.arm for row in rows} == set(REQUIRED_ARMS)
    assert all(row.correct for row in rows if row.arm == "compressed")
