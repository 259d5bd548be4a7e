"""Every row of the grid is a recipe that trains: one step of each by the real command."""

import math

import pytest

from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.experiment.ablations import ablated, rows
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.sizes import SIZES
from latentcomp.train.log import read_curve

from ..extract.command_line import run_command


@pytest.mark.slow
@pytest.mark.parametrize("name", rows())
def test_a_row_of_the_grid_trains_a_step(name, capsys, run, deep):
    corpus = read_corpus(run / "corpus")
    write_corpus(run / "corpus", corpus.documents, {"preset": "lab", "split": "train"})
    recipe = ablated(name).name
    ran = run_command(
        capsys, "train", "--recipe", recipe, "--size", "tiny", "--skip-order", "--steps", 1,
        "--question-tokens", 96, "--device", "cpu", "--run", run, "--reasoner", deep,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    trial = RunFolder(run).trial(recipe, 0)
    (line,) = read_curve(trial.path)
    trained = SIZES["tiny"].of(ablated(name))
    assert set(trained.objectives) <= set(line)
    assert math.isfinite(line["loss"]) and line["loss"] > 0
