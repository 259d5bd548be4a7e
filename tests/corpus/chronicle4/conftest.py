"""Documents of generator 4, made once a session."""

import pytest

from latentcomp.corpus.chronicle4.chronicle import chronicles
from latentcomp.corpus.chronicle4.strings import SPLITS

SEED = 41


@pytest.fixture(scope="session")
def lab():
    """A hundred lab documents of every split, by split."""
    return {split: tuple(chronicles("lab", split, 100, SEED)) for split in SPLITS}


@pytest.fixture(scope="session")
def every(lab):
    """All of them."""
    return tuple(each for split in SPLITS for each in lab[split])
