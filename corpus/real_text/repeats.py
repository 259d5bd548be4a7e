"""Held-out documents that repeat what earlier splits say, in runs of words.

Groups of sources keep repeated entries in one split (`separate`). Notes of git also say the same
in two series, which are two sources, with a word more or less; a president quotes the year before;
changelogs have sentences that all maintainers write. A document of which runs of 13 words, as in
the usual checks of test sets against training sets, are known to more than a tenth is not held out.
"""

import re
from collections.abc import Iterable
from typing import Final

from ..records import Document
from .entries import Source
from .separate import SPLITS

WORDS: Final = 13
"""Words of a run; blanks, case and punctuation aside."""
MOST_REPEATED: Final = 0.1
"""Share of a document's runs that may be known."""


class Repeats:
    """Runs of words of the splits before a held-out one."""

    def __init__(self, sources: Iterable[tuple[Source, str]]) -> None:
        """Collect the runs of (source, split), of whole sources and not of documents alone."""
        self._runs: dict[str, set[int]] = {split: set() for split in SPLITS[:-1]}
        for source, split in sources:
            if split in self._runs:
                for run in source.runs:
                    self._runs[split].update(_runs(" ".join(entry.text for entry in run)))

    def share(self, document: Document, split: str) -> float:
        """Share of a document that stands in a split before its own: in train, or validation."""
        earlier = [self._runs[other] for other in SPLITS[: SPLITS.index(split)]]
        own = _runs(document.text)
        return sum(any(run in known for known in earlier) for run in own) / max(1, len(own))

    def has(self, document: Document, split: str) -> bool:
        """Whether that is too much for a document that is held out."""
        return self.share(document, split) > MOST_REPEATED


def _runs(text: str) -> list[int]:
    """A number for every run of words; within one process, the same for the same words."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return [hash(tuple(words[start : start + WORDS])) for start in range(len(words) - WORDS + 1)]
