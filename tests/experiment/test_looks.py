"""Every look at held-out documents is logged, and what was seen is no new attempt."""

import shutil
from typing import Any

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.experiment.catalogue import recipe_named
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.looks import log_look, machine_log, read_looks, run_identity, seeds_seen
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder

from . import runs

FIELDS: dict[str, Any] = {
    "trial": "phase-1/seed-0",
    "recipe": recipe_named("phase-1"),
    "checkpoint_sha256": "a" * 64,
    "corpus_sha256": "c" * 64,
    "seed": 7,
    "documents": 2,
    "ratio": 4.0,
}


def look(run, **changes):
    log_look(run, **(FIELDS | changes))


def test_a_look_is_in_the_run_and_in_the_log_of_the_machine(tmp_path, machine_state):
    run = RunFolder(tmp_path / "run")
    assert read_looks(run) == () and not machine_log().exists()
    look(run)
    look(run, seed=None)
    assert machine_log() == machine_state / "looks.jsonl"
    assert run.looks.read_bytes() == machine_log().read_bytes()
    first, second = read_looks(run)
    assert first.run == second.run == run_identity(run) and len(first.run) == 32
    recorded = {name: getattr(first, name) for name in FIELDS if name != "recipe"}
    assert recorded == {name: FIELDS[name] for name in recorded}
    assert (first.recipe, first.recipe_sha256) == ("phase-1", FIELDS["recipe"].sha256)
    assert first.argv and first.made and second.seed is None


def test_a_copy_shares_its_looks_with_the_run_and_a_new_run_does_not(tmp_path):
    run = RunFolder(tmp_path / "run")
    look(run)
    copy = RunFolder(shutil.copytree(run.path, tmp_path / "copy"))
    look(copy, seed=8)
    look(run, seed=9)
    other = RunFolder(tmp_path / "other")
    look(other, seed=10)
    assert [each.seed for each in read_looks(run)] == [7, 8, 9]
    assert [each.seed for each in read_looks(copy)] == [7, 8, 9]
    assert [each.seed for each in read_looks(other)] == [10]
    shutil.rmtree(copy.path)
    assert [each.seed for each in read_looks(run)] == [7, 8, 9], "and removing it undoes nothing"


def test_a_run_that_forgot_its_looks_is_reminded_by_the_machine(tmp_path):
    run = RunFolder(tmp_path / "run")
    look(run)
    run.looks.unlink()
    assert [each.seed for each in read_looks(run)] == [7]


def test_a_machine_without_a_state_folder_keeps_the_look_of_the_run(tmp_path, monkeypatch):
    file = tmp_path / "a file"
    file.write_text("")
    monkeypatch.setenv("LATENTCOMP_STATE", str(file))
    run = RunFolder(tmp_path / "run")
    look(run)
    assert len(read_looks(run)) == 1


def test_a_look_that_cannot_be_logged_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(LatentcompError) as caught:
        look(RunFolder(tmp_path / "run"))
    assert "\n" not in str(caught.value)


def test_where_the_log_of_the_machine_is(monkeypatch, tmp_path):
    monkeypatch.delenv("LATENTCOMP_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert machine_log() == tmp_path / "latentcomp" / "looks.jsonl"


@pytest.mark.parametrize("damage", ["{}", "no json", '{"run": 3}'])
def test_a_damaged_log_or_name_is_one_line(tmp_path, damage):
    run = RunFolder(tmp_path / "run")
    look(run)
    with run.looks.open("a") as log:
        log.write(damage + "\n")
    with pytest.raises(LatentcompError, match=r"looks\.jsonl, line 2") as caught:
        read_looks(run)
    assert "\n" not in str(caught.value)
    run.identity.write_text("[]")
    with pytest.raises(LatentcompError, match=r"run-id\.json"):
        run_identity(run)


def test_seeds_that_other_weights_of_the_recipe_were_looked_at_on(tmp_path):
    run = RunFolder(tmp_path / "run")
    scouted = recipe_named("phase-1").changed({}, name="another-name")
    look(run)
    look(run, seed=8, checkpoint_sha256="b" * 64)
    look(run, seed=9, checkpoint_sha256="b" * 64, recipe=recipe_named("phase-2"))
    look(run, seed=10, checkpoint_sha256="c" * 64, recipe=scouted)
    look(run, seed=None, checkpoint_sha256="b" * 64)
    looks = read_looks(run)
    assert set(seeds_seen(looks, recipe_named("phase-1"), ["a" * 64])) == {8, 10}
    assert set(seeds_seen(looks, recipe_named("phase-1"), ["a" * 64, "b" * 64, "c" * 64])) == set()
    assert set(seeds_seen(looks, recipe_named("phase-1"), [])) == {7, 8, 10}
    assert set(seeds_seen(looks, recipe_named("phase-2"), [])) == {9}


@pytest.mark.parametrize("where", ["here", "in a copy"])
def test_documents_that_were_looked_at_thinly_are_no_new_attempt(small_lab, tmp_path, where):
    """Eight documents, no verdict, then better weights on the same seed: that is selection."""
    run = RunFolder(tmp_path / "run")
    trial = runs.save_trial(run, phase(1).recipe, weights=b"first")
    other = run
    if where == "in a copy":
        look(run, seed=99)  # it has its name by now
        other = RunFolder(shutil.copytree(run.path, tmp_path / "copy"))
    runs.save_evaluation(other.trial("phase-1", 0), other, documents=8)
    shutil.rmtree(trial.path)
    runs.save_phase(run, 1)
    verdict = judge_phase(run, 1)
    assert (verdict.status, verdict.counts) == ("inconclusive", False)
    assert "seed 7 were seen by earlier weights" in verdict.reason
    runs.save_evaluation(run.trial("phase-1", 0), run, seed=8)
    assert judge_phase(run, 1, seed=8).status == "passed"


def test_looks_at_the_same_weights_use_nothing_up(small_lab, tmp_path):
    run = RunFolder(tmp_path / "run")
    trial = runs.save_trial(run, phase(1).recipe)
    for _ in range(2):
        runs.save_evaluation(trial, run, documents=8)
    runs.save_evaluation(trial, run)
    assert judge_phase(run, 1).status == "passed"
