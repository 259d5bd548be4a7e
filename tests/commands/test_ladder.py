"""`latentcomp ladder` where a training fails, or where there is nothing to train from."""

import pytest

from latentcomp import cli
from latentcomp.commands import sweep
from latentcomp.commands.jobs import Failure
from latentcomp.experiment.siblings import arms_needed


def test_a_ladder_that_cannot_go_on_says_so_and_ends_with_1(monkeypatch, tmp_path, capsys):
    failed = (Failure("train phase-1/seed-0", "the disk is full"),)
    monkeypatch.setattr(sweep, "train_all", lambda *arguments: failed)
    monkeypatch.setattr(sweep, "evaluate_all", lambda *arguments: ())
    line = ["ladder", "--run", str(tmp_path / "run"), "--through", "2", "--size", "lab"]
    assert cli.run(line) == 1
    said = capsys.readouterr().out
    assert "phase 1 is not judged" in said
    assert "phase 2" not in said


def test_a_phase_is_measured_with_the_arms_that_its_siblings_ask_for(monkeypatch, tmp_path):
    from latentcomp.experiment import judge

    asked = []

    def evaluate(sweep, recipes, documents, seed, watch, steps, arms):
        asked.append((seed, arms, sweep.dtype))
        return ()

    monkeypatch.setattr(sweep, "train_all", lambda *arguments: ())
    monkeypatch.setattr(sweep, "evaluate_all", evaluate)
    monkeypatch.setattr(judge, "judge_phase", lambda run, number, seed: None)
    line = ["ladder", "--run", str(tmp_path / "run"), "--through", "1", "--size", "lab"]
    cli.run([*line, "--dtype", "bfloat16"])
    assert asked == [(5001, arms_needed(1), "bfloat16")]


@pytest.mark.parametrize("through", ["1", "3"])
def test_a_run_without_a_store_is_one_line_and_nothing_is_written(tmp_path, capsys, through):
    """Not a failure for every seed; at size `lab` documents are live, and no store is needed."""
    run = tmp_path / "run"
    run.mkdir()
    assert cli.run(["ladder", "--run", str(run), "--through", through, "--size", "tiny"]) == 2
    error = capsys.readouterr().err
    assert f"`latentcomp extract --run {run}`" in error and error.count("\n") == 1
    assert not any(run.iterdir())
    assert cli.run(["ladder", "--run", str(tmp_path / "none"), "--size", "tiny"]) == 2
    assert "there is no such run folder" in capsys.readouterr().err
