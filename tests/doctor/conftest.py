"""A fake server, as the tests of the text teacher use it."""

import pytest

from ..teacher.fake_server import FakeServer


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.close()
