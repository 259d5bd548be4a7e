"""A teacher of fewer blocks than the lab's is extracted and trained with its own layers."""

import pytest

from ..extract import tiny_models
from ..extract.command_line import run_command
from ..extract.runs import options


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [5, 12])
def test_layers_reach_train(capsys, tmp_path, blocks):
    teacher = tiny_models.save(tiny_models.tiny_qwen3(blocks), tmp_path / "own")
    run = tmp_path / "run"
    layers = "-2,-3,-4"
    assert run_command(capsys, *options(teacher, run, layers=layers, documents=6)).code == 0
    train = ["train", "--phase", 2, "--run", run, "--reasoner", teacher, "--device", "cpu"]
    train += ["--steps", 1, "--batch-size", 2, "--skip-order"]
    refused = run_command(capsys, *train).error
    assert "does not exist" in refused and "--layers" in refused
    trained = run_command(capsys, *train, f"--layers={layers}")
    assert trained.code == 0, trained.err
