"""Every objective in `latentcomp train --set objectives.NAME=WEIGHT`, for two steps."""

import math

import pytest

from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.train.log import read_curve
from latentcomp.train.objectives import OBJECTIVES

from ..extract.command_line import run_command
from ..train import tiny

TINY = ("--phase", 4, "--skip-order", "--steps", 2, "--batch-size", 2, "--question-tokens", 96)
EVERY = {name: 0.1 for name in OBJECTIVES if name != "answer"}


@pytest.fixture
def train(capsys, run, deep):
    """Trains in the run of the tiny teacher."""

    def trained(*options, objectives=(), name="some"):
        given = [part for each in objectives for part in ("--set", f"objectives.{each}=0.1")]
        base = ("train", "--run", run, "--reasoner", deep, "--device", "cpu", "--name", name)
        return run_command(capsys, *base, *TINY, *given, *options)

    return trained


@pytest.fixture
def targets(capsys, run, deep, tmp_path):
    """Latents optimised for three of the four documents of the run."""
    file = tmp_path / "latents.safetensors"
    options = ("--corpus", run / "corpus", "--documents", 3, "--steps", 1, "--device", "cpu")
    ran = run_command(
        capsys, "ceiling", "--reasoner", deep, "--out", tmp_path / "out", "--ratio", 4, *options,
        "--save-latents", file,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "--set objectives.regression=1 --targets FILE" in ran.out
    return file


@pytest.mark.slow
def test_every_objective_trains_two_steps(train, run, targets):
    ran = train("--targets", targets, objectives=EVERY)
    assert ran.code == 0, ran.err
    curve = read_curve(RunFolder(run).trial("some", 0).path)
    assert len(curve) == 2
    for line in curve:
        terms = {name: line[name] for name in EVERY}
        assert all(math.isfinite(value) and value > 0 for value in terms.values()), terms
        assert line["loss"] == pytest.approx(line["answer"] + 0.1 * sum(terms.values()), rel=1e-5)
    again = train("--targets", targets, "--set", "budget.steps=3", objectives=EVERY)
    assert again.code == 2
    assert "budget.steps was 2, now 3" in again.err.splitlines()[-1], (
        "the same targets are the same trial"
    )


@pytest.mark.slow
def test_targets_of_another_training_are_refused(capsys, train, run, deep, targets, tmp_path):
    for options, objectives, says in (
        ([], ["regression"], "give --targets FILE"),
        (["--targets", targets], [], "no objective of some uses them"),
        (["--targets", run / "corpus" / "corpus.json"], ["regression"], "not a file of optimised"),
        (["--targets", targets, "--set", "ratios=[8.0]"], ["regression"], "ratios (4.0,), here"),
        (["--targets", targets, "--set", "model.positions=sequential"], ["regression"],
         "positions tokens, here sequential"),
        (["--targets", targets, "--live"], ["regression"], "live documents are new in every step"),
    ):  # fmt: skip
        assert says in train(*options, objectives=objectives).error
    other = tmp_path / "other"
    corpus = read_corpus(run / "corpus")
    write_corpus(other, corpus.documents[:3], {"source": "test"})
    given = ("--corpus", other, "--documents", 3, "--steps", 1, "--device", "cpu")
    stranger = tiny.save_model(tmp_path / "stranger", blocks=4, seed=5)
    for reader, says in ((deep, "of another training: corpus"), (stranger, "reasoner")):
        file = tmp_path / f"{reader.name}.safetensors"
        ran = run_command(
            capsys, "ceiling", "--reasoner", reader, "--out", tmp_path / reader.name, "--ratio", 4,
            "--save-latents", file, *given,
        )  # fmt: skip
        assert ran.code == 0, ran.err
        assert says in train("--targets", file, objectives=["regression"]).error
    assert not (run / "trials").exists()
