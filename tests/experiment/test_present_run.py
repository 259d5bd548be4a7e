"""A run folder that is not there: named, with those beside it; only a default one may be absent."""

from pathlib import Path

import pytest

from latentcomp.common.errors import UsageError
from latentcomp.common.terminal import DEFAULT_RUN
from latentcomp.experiment.present_run import SHIPPED_INSTEAD, require_run

from ..extract.command_line import run_command


def refusal(run, without=""):
    with pytest.raises(UsageError) as caught:
        require_run(run, without)
    text = str(caught.value)
    assert "\n" not in text and not run.exists()
    return text


def test_the_nearest_name_is_offered_and_else_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "other", "no run"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for name in ("mine", "other"):
        (tmp_path / "runs" / name / "trials").mkdir()
    assert "give --run with one that is there (runs/mine)" in refusal(Path("runs/mien"))
    assert "(runs/mine, runs/other)" in refusal(Path("runs/xyz"))
    assert refusal(Path("elsewhere/mine")).endswith("give --run with one that is there")
    require_run(Path("runs/no run"))


def test_a_default_folder_may_be_absent_where_something_is_done_without(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    require_run(DEFAULT_RUN, SHIPPED_INSTEAD)
    assert "or begin with `latentcomp extract`" in refusal(DEFAULT_RUN)
    assert "or leave it out to measure the shipped" in refusal(Path("runs/x"), SHIPPED_INSTEAD)


@pytest.mark.parametrize(
    "line",
    [
        ["report"],
        ["judge", "--phase", 4],
        ["diagnose"],
        ["evaluate"],
        ["evaluate", "--teacher-only"],
        ["train", "--phase", 4],
        ["ship", "--recipe", "phase-4"],
        ["compress", "a.txt", "--out", "a.latents"],
        ["ask", "a.txt", "Who?"],
    ],
    ids=lambda line: " ".join(map(str, line)),
)
def test_no_command_makes_a_folder_of_a_slip_or_goes_on_without_it(
    capsys, tmp_path, monkeypatch, line
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("Ann lives in Rome.")
    (tmp_path / "runs" / "mine" / "store").mkdir(parents=True)
    error = run_command(capsys, *line, "--run", "runs/mien").error
    assert "runs/mien: there is no such run folder" in error and "(runs/mine)" in error
    assert not (tmp_path / "runs" / "mien").exists()
