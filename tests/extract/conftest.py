"""Tiny checkpoints, built once a session."""

import pytest

from latentcomp.models.loading import load_causal_lm

from . import tiny_models
from .runs import options


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Folders of a shallow, a 48-block and a mixture-of-experts checkpoint, by name."""
    root = tmp_path_factory.mktemp("models")
    return {
        "qwen3-6": tiny_models.save(tiny_models.tiny_qwen3(6), root / "qwen3-6"),
        "qwen3-48": tiny_models.save(tiny_models.tiny_qwen3(48, hidden=16), root / "qwen3-48"),
        "moe-4": tiny_models.save(tiny_models.tiny_qwen3_moe(4), root / "moe-4"),
    }


@pytest.fixture(scope="session")
def loaded(checkpoints):
    """The same, loaded."""
    return {name: load_causal_lm(str(folder)) for name, folder in checkpoints.items()}


@pytest.fixture
def lm(loaded):
    """The shallow one."""
    return loaded["qwen3-6"]


@pytest.fixture(scope="session")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "tiny"
    return tiny_models.save(tiny_models.tiny_qwen3(5, hidden=16), folder)


@pytest.fixture(scope="session")
def finished(teacher, tmp_path_factory):
    """A run that was never interrupted."""
    from latentcomp import cli

    run = tmp_path_factory.mktemp("finished") / "run"
    assert cli.run(options(teacher, run)) == 0
    return run
