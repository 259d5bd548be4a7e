"""Open vocabulary of names and values, partitioned into disjoint splits.

Names are two or three syllables, codes and rooms are digits, passwords are words. Each string
belongs to exactly one split by its CRC-32, so a model trained on one split has never seen a
name or value of another, and nothing can be guessed without the document.
"""

import random
import zlib
from collections.abc import Callable
from typing import Final, Literal

from ...common.errors import CorpusError
from .presets import Preset

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")

_TENTHS: Final[dict[Split, tuple[int, ...]]] = {
    "train": (0, 1, 2, 3, 4, 5, 6, 7),
    "validation": (8,),
    "test": (9,),
}

SYLLABLES: Final[tuple[str, ...]] = tuple(
    onset + vowel for onset in "bdfghjklmnprstvz" for vowel in "aeiou"
)


def split_of(word: str) -> Split:
    """Split that a name or value belongs to, whatever its case."""
    tenth = zlib.crc32(word.lower().encode()) % 10
    return next(split for split, tenths in _TENTHS.items() if tenth in tenths)


_MAX_TRIES: Final = 100_000
"""Failed draws after which the vocabulary counts as exhausted."""


class Vocabulary:
    """Draws names and values of one split, each at most once in a document."""

    def __init__(self, rng: random.Random, split: Split, size: Preset) -> None:
        self._rng = rng
        self._split = split
        self._tenths = frozenset(_TENTHS[split])
        self._distinct_initials = size.distinct_initials
        self._room_digits = size.room_digits
        self._used: set[str] = set()
        self._initials: set[str] = set()

    def name(self) -> str:
        """A capitalised name of two or three syllables, such as `Karo` or `Miluna`."""
        for _ in range(_MAX_TRIES):
            syllables = self._syllables(2 if self._rng.random() < 0.7 else 3)
            if self._distinct_initials and syllables[0] in self._initials:
                continue
            word = "".join(syllables)
            if self._take(word):
                self._initials.add(syllables[0])
                return word.capitalize()
        raise self._exhausted("names")

    def word(self) -> str:
        """A lower-case word of three syllables, for passwords and mottos."""
        return self._draw(lambda: "".join(self._syllables(3)))

    def digits(self, count: int) -> str:
        """A number of exactly `count` digits, leading zeros allowed."""
        return self._draw(lambda: f"{self._rng.randrange(10**count):0{count}d}")

    def room(self) -> str:
        """A room number, with as many digits as the preset gives."""
        return self.digits(self._room_digits)

    def _syllables(self, count: int) -> list[str]:
        return [SYLLABLES[int(self._rng.random() * len(SYLLABLES))] for _ in range(count)]

    def _draw(self, make: Callable[[], str]) -> str:
        for _ in range(_MAX_TRIES):
            word = make()
            if self._take(word):
                return word
        raise self._exhausted(f"values such as {make()!r}")

    def _exhausted(self, what: str) -> CorpusError:
        return CorpusError(
            f"a document of the {self._split} split uses up the {what} of its split after "
            f"{len(self._used)} words; make documents with fewer chunks"
        )

    def _take(self, word: str) -> bool:
        if word in self._used or zlib.crc32(word.encode()) % 10 not in self._tenths:
            return False
        self._used.add(word)
        return True
