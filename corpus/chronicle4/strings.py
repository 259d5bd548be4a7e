"""An open vocabulary of names and values, cut into splits that cannot meet.

Names are two or three syllables, numbers 3 to 6 digits, words two or three syllables in lower
case. Each string belongs to exactly one split by its CRC-32, so a model trained on one split has
never seen a name or value of another, and nothing can be guessed without the document.
"""

import random
import zlib
from collections.abc import Callable
from typing import Final, Literal

from .problems import CorpusError, problem

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")

TENTHS: Final[dict[Split, tuple[int, ...]]] = {
    "train": (0, 1, 2, 3, 4, 5, 6, 7),
    "validation": (8,),
    "test": (9,),
}

SYLLABLES: Final[tuple[str, ...]] = tuple(
    onset + vowel for onset in "bdfghjklmnprstvz" for vowel in "aeiou"
)
TAKEN: Final = (
    *("before", "dove", "five", "gate", "gave", "have", "home", "late", "like", "line", "made"),
    *("more", "name", "nine", "note", "rise", "robe", "safe", "same", "some", "take", "time"),
    "wine",
)
"""English words that are syllables of the vocabulary, which a made-up word must not be."""
SHORT_SHARE: Final = 0.7
"""Share of names and words that have two syllables; the others have three."""

_MOST_TRIES: Final = 100_000
"""A draw that fails this often has no word left to find."""


def tenth(word: str) -> int:
    """CRC-32 of a word in lower case, modulo 10: what decides its split on every machine."""
    return zlib.crc32(word.lower().encode()) % 10


def split_of(word: str) -> Split:
    """Split that a name or value belongs to, whatever its case."""
    return next(split for split in SPLITS if tenth(word) in TENTHS[split])


class Vocabulary:
    """Draws names and values of one split, each at most once in a document."""

    def __init__(self, rng: random.Random, split: Split, distinct_initials: bool) -> None:
        self._rng = rng
        self._split = split
        self._tenths = TENTHS[split]
        self._distinct_initials = distinct_initials
        self._used: dict[str, None] = {}
        self._initials: dict[str, None] = {}

    def name(self, *, distinct: bool = True) -> str:
        """A capitalised name of two or three syllables, such as `Karo` or `Miluna`.

        Args:
            distinct: whether its first syllable is to be its own, where the preset asks for it.
        """
        for _ in range(_MOST_TRIES):
            word = self._syllables()
            if distinct and self._distinct_initials and word[:2] in self._initials:
                continue
            if self._take(word):
                self._initials[word[:2]] = None
                return word.capitalize()
        raise self._exhausted("names")

    def word(self) -> str:
        """A lower-case word of two or three syllables, for passwords and mottos."""
        return self._draw(self._syllables)

    def digits(self, count: int) -> str:
        """A number of exactly `count` digits, leading zeros allowed."""
        return self._draw(lambda: f"{int(self._rng.random() * 10**count):0{count}d}")

    def _syllables(self) -> str:
        draw = self._rng.random
        count = 2 if draw() < SHORT_SHARE else 3
        return "".join([SYLLABLES[int(draw() * len(SYLLABLES))] for _ in range(count)])

    def _draw(self, make: Callable[[], str]) -> str:
        for _ in range(_MOST_TRIES):
            word = make()
            if self._take(word):
                return word
        raise self._exhausted(f"values such as {make()!r}")

    def _exhausted(self, what: str) -> CorpusError:
        return problem(
            f"a document of the {self._split} split uses up the {what} of its split after "
            f"{len(self._used)} words; make documents with fewer chunks"
        )

    def _take(self, word: str) -> bool:
        if word in self._used or word in TAKEN or tenth(word) not in self._tenths:
            return False
        self._used[word] = None
        return True
