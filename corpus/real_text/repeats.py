"""Held-out documents that repeat what earlier splits say, line by line.

Groups of sources keep repeated entries in one split (`separate`). Notes of git also say the same
sentence in two series, which are two sources, and changelogs have sentences that all maintainers
write: a document in which such lines are more than a tenth is not held out.
"""

from collections.abc import Iterable
from typing import Final

from ..records import Document
from .entries import Source
from .separate import SPLITS, letters

LEAST_LINE: Final = 60
"""Letters and digits of a line that counts; shorter ones are alike by chance."""
MOST_REPEATED: Final = 0.1
"""Share of a document's letters in such lines."""


class Repeats:
    """Lines of every split."""

    def __init__(self, sources: Iterable[tuple[Source, str]]) -> None:
        """Collect the lines of (source, split), of whole sources and not of documents alone."""
        self._lines: dict[str, set[str]] = {split: set() for split in SPLITS}
        for source, split in sources:
            for entry in source.entries:
                lines = (letters(part) for part in entry.parts)
                self._lines[split].update(line for line in lines if len(line) >= LEAST_LINE)

    def share(self, document: Document, split: str) -> float:
        """Share of a document that stands in a split before its own: in train, or validation."""
        earlier = SPLITS[: SPLITS.index(split)]
        lines = [letters(line) for line in document.text.split("\n")]
        known = (
            len(line) for line in lines if any(line in self._lines[other] for other in earlier)
        )
        return sum(known) / max(1, sum(map(len, lines)))

    def has(self, document: Document, split: str) -> bool:
        """Whether that is too much for a document that is held out."""
        return self.share(document, split) > MOST_REPEATED
