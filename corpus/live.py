"""An endless corpus: every document is generated from its index, none is stored."""

from collections.abc import Callable
from dataclasses import dataclass

from .records import Document

Make = Callable[[str, str, int, int, int], Document]
"""(preset, split, seed, most questions of each family, index) -> the document."""


@dataclass(frozen=True, slots=True)
class LiveCorpus:
    """Documents of an endless corpus, by index; picklable, for data-loading workers."""

    make: Make
    """A function of a module."""
    preset: str
    split: str
    seed: int
    questions_per_family: int
    """At most this many questions of each family."""

    def document(self, index: int) -> Document:
        """Document number `index`, 0 or more.

        Raises:
            CorpusError: there is no such preset or split.
        """
        return self.make(self.preset, self.split, self.seed, self.questions_per_family, index)
