"""What holds for every test: looks at held-out documents are logged away from the home folder."""

import itertools
import os

import pytest

from latentcomp.experiment.looks import STATE

_NUMBERS = itertools.count()


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
    return folder
