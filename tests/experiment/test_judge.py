"""The judge: which trials a verdict rests on, which are refused, and what the verdict says."""

import json
import shutil
from math import isnan

import pytest

from latentcomp.common.errors import PhaseError
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.experiment.ablations import ABLATIONS, ablated
from latentcomp.experiment.ablations import rows as grid_rows
from latentcomp.experiment.gather import gather
from latentcomp.experiment.grid_result import read_grid, write_grid
from latentcomp.experiment.history import read_history
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.sizes import SIZES
from latentcomp.experiment.verdict_table import render_verdict

from . import runs

FEW = 8
"""Documents, where it does not matter how many."""


@pytest.fixture(scope="module")
def pair_once(small_lab, tmp_path_factory):
    """Phases 1 and 2 with two seeds each, measured on a few documents."""
    run = RunFolder(tmp_path_factory.mktemp("pair") / "run")
    for number in (1, 2):
        runs.save_phase(run, number, (0, 1), documents=FEW, compressed=0.3 * number)
    return run.path


@pytest.fixture
def pair(pair_once, tmp_path):
    return RunFolder(shutil.copytree(pair_once, tmp_path / "run"))


def refusal(run, number, **options):
    with pytest.raises(PhaseError) as caught:
        judge_phase(run, number, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert read_history(run, number) == (), "nothing is recorded"
    return text


def test_a_comparison_rests_on_every_seed_of_both_sides(pair):
    verdict = judge_phase(pair, 2)
    assert verdict.seeds == (0, 1)
    assert set(verdict.checkpoints) == {
        f"{recipe}/seed-{seed}" for recipe in ("phase-1", "phase-2") for seed in (0, 1)
    }
    assert len(verdict.evaluations) == 4
    assert (verdict.teacher_sha256, verdict.size) == (runs.MODEL.weights_sha256, "laptop")
    assert verdict.gate_sha256 == phase(2).gate.sha256 and verdict.made
    (outcome,) = verdict.criteria
    assert outcome.measure == "retention_gain"
    assert outcome.interval is not None and outcome.interval.point > 0.1
    assert (verdict.status, verdict.thin) == ("inconclusive", True)
    assert read_history(pair, 2) == (verdict,)


def test_a_claim_about_one_checkpoint_is_about_that_of_the_lowest_seed(pair):
    """Not about the best one."""
    runs.save_evaluation(pair.trial("phase-1", 1), pair, documents=FEW, compressed=1.0)
    assert set(judge_phase(pair, 1).checkpoints) == {"phase-1/seed-0"}


@pytest.mark.parametrize(
    ("recipe", "seed", "where"), [("phase-1", 1, "phase-1"), ("phase-2", 0, "phase-2")]
)
def test_a_seed_that_one_side_lacks_is_named_with_what_to_run(pair, recipe, seed, where):
    shutil.rmtree(pair.trial(recipe, seed).path)
    text = refusal(pair, 2)
    assert f"{where} has no evaluation with the training seed {seed}" in text
    options = f"--run {pair.path} "
    assert f"`latentcomp train --recipe {where} --seed {seed} {options}" in text
    assert f"`latentcomp evaluate --recipe {where} --documents {FEW} --seed 7 {options}" in text


def test_a_seed_that_the_judged_side_lacks_is_not_passed_over(pair):
    """Else the best of many seeds could be shown."""
    runs.save_evaluation(
        runs.save_trial(pair, phase(1).recipe, 2), pair, documents=FEW, compressed=0.3
    )
    assert "phase-2 has no evaluation with the training seed 2" in refusal(pair, 2)


def test_other_documents_on_one_side_are_no_evaluation(pair):
    trial = pair.trial("phase-1", 1)
    shutil.rmtree(trial.path / "evaluations")
    runs.save_evaluation(trial, pair, documents=FEW, seed=8)
    assert "phase-1/seed-1 was trained and is not measured" in refusal(pair, 2)
    assert "on documents of seed 9" in refusal(pair, 2, seed=9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget.steps", 300),
        ("optimiser.lr", 0.5),
        ("data.batch_size", 16),
        ("data.source", "live"),
    ],
)
def test_what_differs_between_two_trials_is_named(pair, field, value):
    """Equal budgets are checked, not asked for."""
    trial = pair.trial("phase-1", 1)
    shutil.rmtree(trial.path)
    changed = phase(1).recipe.changed({field: value})
    again = runs.save_trial(pair, changed, 1)
    runs.save_evaluation(again, pair, documents=FEW, compressed=0.3)
    text = refusal(pair, 2)
    assert f"phase-1/seed-1 cannot be compared with phase-2/seed-0: its {field} is {value}" in text


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [("dtype", "bfloat16", "precision"), ("backend", "vllm", "backend")],
)
def test_answers_that_were_computed_otherwise_are_named(pair, field, value, name):
    (folder,) = pair.trial("phase-1", 1).evaluations()
    result = EvaluationResult.read(folder.result)
    result.model_copy(update={field: value}).write(folder.result)
    text = refusal(pair, 2)
    assert f"cannot be compared with phase-2/seed-0: its {name} is {value}" in text


def test_another_number_of_processes_is_another_budget(pair):
    trial = pair.trial("phase-1", 0)
    shutil.rmtree(trial.path)
    again = runs.save_trial(pair, phase(1).recipe, 0, data=runs.LIVE | {"world": 8})
    runs.save_evaluation(again, pair, documents=FEW, compressed=0.3)
    assert "its processes is 8" in refusal(pair, 2)


def test_a_trial_of_another_recipe_under_this_name_is_no_trial_of_it(pair):
    trial = pair.trial("phase-2", 1)
    shutil.rmtree(trial.path)
    other = phase(2).recipe.changed({"model.blocks": 1})
    runs.save_evaluation(runs.save_trial(pair, other, 1), pair, documents=FEW)
    assert "phase-2 has no evaluation with the training seed 1" in refusal(pair, 2)


def test_nothing_to_judge_says_what_to_run(tmp_path):
    text = refusal(RunFolder(tmp_path), 4)
    assert "phase 4 has no evaluation" in text and "`latentcomp evaluate --phase 4" in text
    text = refusal(RunFolder(tmp_path), 7)
    assert "`latentcomp ablations" in text


@pytest.mark.parametrize(
    ("changes", "finished", "words"),
    [
        ({"budget.steps": 7}, True, "trained for 7 steps at no size of the catalogue"),
        ({"optimiser.lr": 0.5}, True, "at no size of the catalogue"),
        (SIZES["tiny"].changes, True, "at the size tiny, on which no verdict rests"),
        ({}, False, "had not used its budget at step 200"),
    ],
)
def test_a_training_that_was_not_the_whole_one_is_thin(
    small_lab, tmp_path, changes, finished, words
):
    """On as many documents as the plan asks for."""
    run = RunFolder(tmp_path)
    trial = runs.save_trial(run, phase(1).recipe.changed(changes), finished=finished)
    runs.save_evaluation(trial, run)
    verdict = judge_phase(run, 1)
    assert (verdict.status, verdict.counts, verdict.thin) == ("inconclusive", False, True)
    assert words in verdict.reason and verdict.reason.startswith("phase-1, seed 0: ")
    assert verdict.finished is False


def test_what_a_trial_skipped_stands_in_its_verdict(small_lab, tmp_path):
    run = RunFolder(tmp_path)
    for number, skipped in ((1, ()), (2, (1,))):
        for seed in (0, 1):
            trial = runs.save_trial(run, phase(number).recipe, seed, skipped=skipped)
            runs.save_evaluation(trial, run, documents=FEW)
    assert judge_phase(run, 2).skipped == (1,)


def test_a_verdict_on_one_line(pair):
    line = render_verdict(judge_phase(pair, 2)).plain
    assert line.startswith(f"phase 2: inconclusive — {FEW} documents, the plan asks for at least")
    assert "2 training seeds)" in line
    assert "1 training seed)" in render_verdict(judge_phase(pair, 1)).plain


@pytest.fixture(scope="module")
def grid_once(small_lab, tmp_path_factory):
    """The full recipe and two ablations, one seed, measured on a few documents."""
    run = RunFolder(tmp_path_factory.mktemp("grid") / "run")
    runs.save_phase(run, 5, documents=FEW, compressed=0.9)
    for name, share in (("no-time", 0.3), ("equal-mix", 0.9)):
        runs.save_evaluation(
            runs.save_trial(run, ablated(name)), run, documents=FEW, compressed=share
        )
    return run.path


@pytest.fixture
def grid(grid_once, tmp_path):
    return RunFolder(shutil.copytree(grid_once, tmp_path / "run"))


def test_a_grid_is_judged_by_its_largest_drop_against_the_full_recipe(grid):
    verdict = judge_phase(grid, 7)
    assert set(verdict.checkpoints) == {
        "phase-5/seed-0",
        "ablation-no-time/seed-0",
        "ablation-equal-mix/seed-0",
    }
    (outcome,) = verdict.criteria
    assert outcome.measure == "largest_ablation_drop"
    assert outcome.interval is not None and outcome.interval.point > 0.3
    gathered = gather(grid, phase(7), None)
    assert set(gathered.grid) == {"no-time", "equal-mix"}


def test_a_grid_without_its_full_recipe_is_refused(grid):
    shutil.rmtree(grid.trial("phase-5", 0).path)
    assert "has no evaluation with the training seed 0" in refusal(grid, 7)


def test_the_table_of_a_grid_has_every_row(grid, tmp_path):
    failed = grid.trial("ablation-no-residual", 0)
    failed.path.mkdir(parents=True)
    failed.failure.write_text('{"reason": "the disk is full"}')
    result = read_grid(grid, FEW, 7)
    assert result is not None and [row.name for row in result.rows] == list(grid_rows())
    assert [row.name for row in result.rows if row.judged] == list(ABLATIONS)
    rows = {row.name: row for row in result.rows}
    assert {name: row.status for name, row in rows.items() if row.status != "missing"} == {
        "no-time": "measured",
        "equal-mix": "measured",
        "no-residual": "failed: the disk is full",
    }
    drops = {name: row.drop.point for name, row in rows.items() if row.drop}
    assert drops["equal-mix"] == 0 and drops["no-time"] > 0.3
    assert (rows["no-time"].word, rows["equal-mix"].word) == ("above", "tied")
    assert rows["no-time"].p < 0.01 and rows["equal-mix"].p == 1.0
    assert isnan(rows["no-layer-6"].p) and rows["no-layer-6"].word == "unmeasured"
    assert rows["no-time"].changes == {"model.time": False}
    assert rows["no-layer-6"].drop is None and rows["no-layer-6"].retention == ()
    written = write_grid(result, tmp_path).read_text()
    assert type(result).model_validate_json(written).model_dump_json() == result.model_dump_json()
    assert read_grid(grid, FEW + 1, 7) is None, "other documents are another grid"


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        (False, "phase-2/seed-1 was trained and is not measured on these documents"),
        (True, "hold the same weights: one of them is a copy"),
    ],
    ids=["as it is", "its seed edited"],
)
def test_a_copied_trial_is_no_training_seed(pair, edited, words):
    """Seed variance of zero, by `cp -r`."""
    trial = pair.trial("phase-2", 1)
    shutil.rmtree(trial.path)
    shutil.copytree(pair.trial("phase-2", 0).path, trial.path)
    if edited:
        (file,) = trial.checkpoint.glob("*/state.json")
        state = json.loads(file.read_text())
        state["trial"]["seed"] = 1
        file.write_text(json.dumps(state))
    assert words in refusal(pair, 2)
