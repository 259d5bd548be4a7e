"""`latentcomp ladder` where a training fails."""

from latentcomp import cli
from latentcomp.commands import sweep
from latentcomp.commands.jobs import Failure


def test_a_ladder_that_cannot_go_on_says_so_and_ends_with_1(monkeypatch, tmp_path, capsys):
    failed = (Failure("train phase-1/seed-0", "the disk is full"),)
    monkeypatch.setattr(sweep, "train_all", lambda *arguments: failed)
    monkeypatch.setattr(sweep, "evaluate_all", lambda *arguments: ())
    assert cli.run(["ladder", "--run", str(tmp_path / "run"), "--through", "2"]) == 1
    said = capsys.readouterr().out
    assert "phase 1 is not judged" in said
    assert "phase 2" not in said
