"""Sibling gates: they stand beside a verdict, move nothing in it, and are those of the plan."""

import re
from pathlib import Path

import pytest

from latentcomp.evaluate.arms.table import ARMS
from latentcomp.evaluate.strict import _MEASURES
from latentcomp.experiment.history import read_history
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.phases import PHASES, phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.siblings import NEEDED_ARMS, SIBLINGS, arms_needed
from latentcomp.experiment.verdict import Verdict
from latentcomp.experiment.verdict_table import render_verdict

from . import runs

PLAN = (Path(__file__).parents[2] / "docs" / "experiment_plan.md").read_text()


def section():
    return PLAN[PLAN.index("## 5a") : PLAN.index("## 6.")]


def test_the_plan_and_the_code_hold_the_same_siblings():
    table = section()[section().index("siblings:begin") :]
    rows = re.findall(r"^\| (\d) \| (\w+) \| (low|high) [<>] ([\d.]+) \|$", table, re.MULTILINE)
    coded = [
        (str(number), one.measure, one.bound, f"{one.threshold:.2f}")
        for number, siblings in SIBLINGS.items()
        for one in siblings
    ]
    assert rows == coded
    assert set(SIBLINGS) == {each.number for each in PHASES}


def test_the_plan_defines_every_strict_measure():
    assert set(re.findall(r"^\| `(\w+)` \|", section(), re.MULTILINE)) == set(_MEASURES)


def test_every_measure_stands_beside_some_gate():
    assert {one.measure for siblings in SIBLINGS.values() for one in siblings} == set(_MEASURES)


@pytest.mark.parametrize(
    ("shares", "measure", "status"),
    [
        ({"compressed": 0.8}, "retention_above_controls", "passed"),
        ({"compressed": 0.8}, "accuracy", "passed"),
        ({"compressed": 0.05}, "accuracy", "failed"),
        ({"compressed": 0.8}, "largest_shuffled_effect", "inconclusive"),  # of few documents
    ],
)
def test_siblings_have_outcomes_of_their_own(small_lab, tmp_path, shares, measure, status):
    run = RunFolder(tmp_path / "run")
    runs.save_phase(run, 1, **shares)
    outcomes = {one.measure: one for one in judge_phase(run, 1).siblings}
    assert list(outcomes) == [one.measure for one in SIBLINGS[1]]
    assert outcomes[measure].status == status


def test_a_failed_sibling_moves_no_verdict(small_lab, tmp_path):
    """Latents of zeros answer as well as those of the document: the gate of phase 1 passes."""
    run = RunFolder(tmp_path / "run")
    runs.save_phase(run, 1, compressed=0.5, zero=0.5)
    verdict = judge_phase(run, 1)
    outcomes = {one.measure: one.status for one in verdict.siblings}
    assert verdict.status == "passed"
    assert outcomes["retention_above_controls"] != "passed"
    assert verdict.gate_sha256 == phase(1).gate.sha256, "thresholds of the gate are not touched"


def test_they_are_shown_and_kept_and_an_older_verdict_has_none(small_lab, tmp_path):
    run = RunFolder(tmp_path / "run")
    runs.save_phase(run, 1, compressed=0.6)
    verdict = judge_phase(run, 1)
    lines = render_verdict(verdict).plain.splitlines()
    assert [line.split(":")[0] for line in lines] == ["phase 1", *["  beside it"] * 4]
    assert "accuracy low > 0.25: 0." in lines[2]
    (kept,) = read_history(run, 1)
    assert kept.siblings == verdict.siblings
    old = verdict.model_dump(mode="json")
    del old["siblings"]
    assert Verdict.model_validate(old).siblings == ()


def test_freshness_that_was_not_measured_is_open(small_lab, tmp_path):
    run = RunFolder(tmp_path / "run")
    for number in (1, 2, 3):
        runs.save_phase(run, number, compressed=0.6)
    runs.save_phase(run, 4, compressed=0.6)
    outcomes = {one.measure: one for one in judge_phase(run, 4).siblings}
    fresh = outcomes["above_stale"]
    assert (fresh.interval, fresh.status) == (None, "inconclusive")
    assert "above_stale low > 0.00: not measured" in render_verdict(judge_phase(run, 4)).plain


@pytest.mark.parametrize("number", [each.number for each in PHASES])
def test_the_arms_that_siblings_compare_with_are_known(number):
    needed = arms_needed(number)
    assert all(ARMS[name].optional for name in needed)
    compared = {one.measure for one in SIBLINGS[number]} & set(NEEDED_ARMS)
    assert len(needed) == len(compared)
