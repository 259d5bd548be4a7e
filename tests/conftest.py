"""What holds for every test: looks at held-out documents are logged away from the home folder."""

import itertools
import os
from pathlib import Path

import pytest

from latentcomp.common.cache import CACHE
from latentcomp.common.threads import cores
from latentcomp.experiment.looks import STATE

_NUMBERS = itertools.count()
LONG = ("train", "experiment", "extract", "store", "report")
"""Folders whose files take longest."""


def pytest_xdist_auto_num_workers(config):
    """One process more than cores: some tests wait, for a process or for a clock."""
    return cores() + 1


def pytest_collection_modifyitems(items):
    """Long files first: at the end the short ones keep every process busy (`--dist loadfile`)."""
    items.sort(key=lambda item: not {*LONG} & {*item.path.parts})


@pytest.fixture(scope="session")
def state_root(tmp_path_factory):
    """Below it every test has a machine log of its own."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session", autouse=True)
def session_state(state_root):
    """For fixtures that live longer than a test, and for processes that they start."""
    before = os.environ.get(STATE)
    os.environ[STATE] = str(state_root / "session")
    yield
    os.environ.pop(STATE)
    if before is not None:
        os.environ[STATE] = before


@pytest.fixture(autouse=True)
def machine_state(state_root, session_state, monkeypatch):
    """Folder of the machine's log of looks, new for each test and made at its first look."""
    folder = state_root / f"test-{next(_NUMBERS)}"
    monkeypatch.setenv(STATE, str(folder))
    monkeypatch.delenv(CACHE, raising=False)  # the user's own: tests set another, or their XDG's
    return folder


@pytest.fixture(scope="session", autouse=True)
def processes_find_the_tests():
    """Processes that run a function of a test import its module (`tests/processes.py`)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1]))
        yield
