"""A fake server for each test, and a corpus that all of them share."""

import pytest

from latentcomp.corpus.source import GeneratedCorpus, write_generated

from .fake_server import FakeServer


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Folder of six documents with questions."""
    folder = tmp_path_factory.mktemp("corpus") / "held-out"
    write_generated(GeneratedCorpus("lab", "test", 6, 7), folder)
    return folder
