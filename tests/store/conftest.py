"""What all store tests share."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_fsync() -> Iterator[None]:
    """A sync takes milliseconds and shows only when power fails, which no test can do.

    The processes that are killed sync for real.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
