"""One tiny teacher and one tiny store for all of these tests."""

import pytest
import torch

from latentcomp.train import loader

from ..processes import CONTEXT
from . import tiny


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """So small are these tensors that more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def teacher(tmp_path_factory):
    """Folder of a model of 4 blocks."""
    return tiny.save_model(tmp_path_factory.mktemp("models") / "tiny", blocks=4)


@pytest.fixture(scope="session")
def run_folder(teacher, tmp_path_factory):
    """A run folder with a store of a dozen short documents; not to be written to."""
    folder = tmp_path_factory.mktemp("run")
    return tiny.write_run(folder, teacher, tiny.documents(12), tiny.layers(1, 3))


@pytest.fixture(scope="session")
def lm():
    """A model of 4 blocks; frozen."""
    return tiny.lm(4)


@pytest.fixture
def quick_processes(monkeypatch):
    """Worker processes are forks of one that has imported torch (`tests/processes.py`)."""
    monkeypatch.setattr(loader, "START_METHOD", CONTEXT.get_start_method())
