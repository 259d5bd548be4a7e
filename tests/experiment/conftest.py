"""A tiny teacher that is deep enough for the layers of the phases, and its store."""

import shutil

import pytest
import torch

from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import write

from ..train import tiny
from . import runs


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """So small are these tensors that more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Reports without figures, which take seconds and are looked at in tests/report."""
    monkeypatch.setattr(write, "plates", lambda story: [])


@pytest.fixture(scope="session")
def deep(tmp_path_factory):
    """Folder of a teacher of 32 blocks."""
    return tiny.save_model(tmp_path_factory.mktemp("deep") / "tiny-32", blocks=32)


@pytest.fixture(scope="session")
def extracted(deep, tmp_path_factory):
    """A run folder with its corpus and store; not to be written to."""
    folder = tmp_path_factory.mktemp("extracted")
    return tiny.write_run(folder, deep, tiny.documents(4), tiny.layers(3, 15, 27))


@pytest.fixture
def run(extracted, tmp_path):
    """A copy to train in."""
    return shutil.copytree(extracted, tmp_path / "run")


@pytest.fixture(scope="module")
def small_lab():
    """Documents that are made quickly, for this module."""
    with pytest.MonkeyPatch.context() as patch:
        runs.small_lab(patch)
        yield


@pytest.fixture(scope="module")
def passed_once(small_lab, tmp_path_factory):
    """A run in which phase 1 was trained at its size, evaluated and judged: it passed."""
    folder = RunFolder(tmp_path_factory.mktemp("passed") / "run")
    runs.save_phase(folder, 1)
    assert judge_phase(folder, 1).status == "passed"
    return folder.path


@pytest.fixture
def passed(passed_once, tmp_path):
    """A copy of it; its looks are known to this test's machine log alone."""
    return RunFolder(shutil.copytree(passed_once, tmp_path / "run"))
