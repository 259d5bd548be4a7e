"""The generators of chronicles by version, and which of them the shipped lab teacher reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from ..common.errors import CorpusError
from .chronicle import generate as generate_3
from .chronicle import live as live_3
from .chronicle.generator import GENERATOR_VERSION
from .chronicle4 import chronicle as chronicle_4
from .chronicle4 import live as live_4
from .records import Document

LAB_GENERATOR: Final = 3
"""Version whose documents the shipped lab teacher was trained to read: the default everywhere."""

UNRECORDED: Final = 3
"""Version of generated documents whose record is older than the field that says it."""


class Live(Protocol):
    """An endless corpus; picklable, for data-loading workers."""

    def document(self, index: int) -> Document:
        """Document number `index`, 0 or more."""


@dataclass(frozen=True, slots=True)
class Generator:
    """One version of the world."""

    generate: Callable[[str, str, int, int], Iterator[Document]]
    """(preset, split, documents, seed) -> that many documents."""
    live: Callable[[str, int, int], Live]
    """(preset, seed, most questions of each family) -> documents of the split `train` by index."""
    split: Callable[[str, str, int, int], Live]
    """(preset, split, seed, most questions of each family) -> the same of any split."""


GENERATORS: Final[dict[int, Generator]] = {
    GENERATOR_VERSION: Generator(generate_3, live_3.training_corpus, live_3.split_corpus),
    chronicle_4.GENERATOR_VERSION: Generator(
        chronicle_4.generate, live_4.training_corpus, live_4.split_corpus
    ),
}
"""By version."""


def generator(version: int) -> Generator:
    """A generator by its version.

    Raises:
        CorpusError: there is none of that version.
    """
    if version not in GENERATORS:
        raise CorpusError(f"generator {version}: choose one of {', '.join(map(str, GENERATORS))}")
    return GENERATORS[version]
