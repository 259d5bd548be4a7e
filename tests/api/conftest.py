"""One run folder of tiny models for all tests of the Python API."""

import pytest

from latentcomp.api import Compressor
from latentcomp.models.loading import load_causal_lm

from ..train import tiny
from .tiny_api import write_trial


@pytest.fixture(scope="session")
def teacher(tmp_path_factory):
    return tiny.save_model(tmp_path_factory.mktemp("models") / "tiny", 4)


@pytest.fixture(scope="session")
def run(tmp_path_factory, teacher):
    folder = tmp_path_factory.mktemp("run")
    tiny.write_run(folder, teacher, tiny.documents(3), tiny.STORED)
    write_trial(folder, load_causal_lm(str(teacher)))
    return folder


@pytest.fixture(scope="session")
def compressor(run, teacher):
    trial = run / "trials" / "phase-4" / "seed-0"
    return Compressor.from_pretrained(trial, teacher=str(teacher))
