"""Generated corpora, made once a session."""

import pytest

from latentcomp.corpus.chronicle import generate
from latentcomp.corpus.chronicle.names import SPLITS

SEED = 41


@pytest.fixture(scope="session")
def lab():
    """A hundred lab documents of every split, by split."""
    return {split: tuple(generate("lab", split, 100, SEED)) for split in SPLITS}


@pytest.fixture(scope="session")
def qwen():
    """A few long documents of every split, by split; the test split has the fewest words."""
    counts = {"train": 1, "validation": 1, "test": 2}
    return {split: tuple(generate("qwen3-30b", split, n, SEED)) for split, n in counts.items()}
