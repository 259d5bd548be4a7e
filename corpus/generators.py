"""The generators of chronicles by version, and which of them the shipped lab teacher reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ..common.errors import CorpusError
from .chronicle import generate as generate_3
from .chronicle import live as live_3
from .chronicle.generator import GENERATOR_VERSION
from .chronicle4 import chronicle as chronicle_4
from .chronicle4 import live as live_4
from .live import LiveCorpus, Make
from .records import Document

LAB_GENERATOR: Final = 4
"""Version whose documents the shipped lab teacher was trained to read: the default everywhere."""

UNRECORDED: Final = 3
"""Version of generated documents whose record is older than the field that says it."""


@dataclass(frozen=True, slots=True)
class Generator:
    """One version of the world."""

    generate: Callable[[str, str, int, int], Iterator[Document]]
    """(preset, split, documents, seed) -> that many documents."""
    document: Make
    """One of them by its index."""
    training_document: Make
    """Its text and questions, without what only an evaluation wants to know of these."""

    def live(
        self,
        preset: str,
        split: str,
        seed: int,
        questions_per_family: int,
        *,
        training: bool = False,
    ) -> LiveCorpus:
        """An endless corpus with at most so many questions of each family.

        Args:
            preset, split, seed: of the corpus.
            questions_per_family: at most.
            training: whether texts, questions, answers and evidence are enough.

        Raises:
            CorpusError: no preset or no split has that name.
        """
        make = self.training_document if training else self.document
        corpus = LiveCorpus(make, preset, split, seed, questions_per_family)
        corpus.document(0)  # an unknown name is refused here, and not by a worker process
        return corpus


GENERATORS: Final[dict[int, Generator]] = {
    GENERATOR_VERSION: Generator(generate_3, live_3.document, live_3.document),
    chronicle_4.GENERATOR_VERSION: Generator(
        chronicle_4.generate, live_4.document, live_4.training_document
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
