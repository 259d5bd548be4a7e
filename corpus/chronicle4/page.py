"""A document as a cheap reader sees it: sentences, names, values and words, nothing understood."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from .facts import Document
from .lexicon import ATTRIBUTES, COLOURS, PLACES_IN_LINE, ROLE_NOUNS, TRADES
from .strings import SYLLABLES, TAKEN

_MADE_UP: Final = re.compile(f"(?:{'|'.join(SYLLABLES)}){{2,3}}")
_TOKEN: Final = re.compile(r"[A-Za-z]+|[0-9]+")
ATTRIBUTE_OF: Final[dict[str, str]] = {
    word: attribute.key
    for attribute in ATTRIBUTES
    for noun in (*attribute.said, *attribute.asked)
    for word in (noun, noun + "s", noun + "es", noun[:-1] + "ies")
}
"""A thesaurus: by noun, of statements or questions, the attribute it stands for."""
ANSWER_TYPES: Final = (
    ("town", r"Where |In which town "),
    ("count", r"How many |What number of "),
    ("number", r"(?:What|Which) number "),
    ("closed", r"(?:What|Which) colour "),
    ("trade", r"What is the trade |What does the person "),
    ("role", r"What is \w+ to |To \w+, what "),
    ("word", r"(?:What|Which word) "),
    ("person", r"Who |Whose "),
    ("day", r"Since which day |On which day "),
    ("place", r"Which position |In which position "),
)


def answer_type(question: str) -> str:
    """What kind of string a question asks for, by its first words; `yes_no` if by none."""
    for name, pattern in ANSWER_TYPES:
        if re.match(pattern, question):
            return name
    return "yes_no"


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a document."""

    chunk: int
    day: int
    """Day of its chunk by the metadata."""
    words: tuple[str, ...]
    """Words in lower case and numbers, in order; names keep their capital."""
    values: dict[str, tuple[tuple[int, str], ...]]
    """By type: (position among the words, string) of everything that could be an answer."""


@dataclass
class Page:
    """A document cut into sentences."""

    document: Document

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Sentences in order."""
        return tuple(
            _line(chunk.index, chunk.day or 0, sentence)
            for chunk in self.document.chunks
            for sentence in re.split(r"(?<=\.) ", chunk.text)
        )

    @cached_property
    def where(self) -> dict[str, list[int]]:
        """By word, the sentences it stands in; an attribute's key stands for all its nouns."""
        found: dict[str, list[int]] = {}
        for at, line in enumerate(self.lines):
            keys = [f"@{ATTRIBUTE_OF[word]}" for word in line.words if word in ATTRIBUTE_OF]
            for word in dict.fromkeys((*line.words, *keys)):
                found.setdefault(word, []).append(at)
        return found

    def with_any(self, words: Sequence[str]) -> list[int]:
        """Sentences with at least one of the words, in order."""
        return sorted({at for word in words for at in self.where.get(word, ())})


def _line(chunk: int, day: int, sentence: str) -> Line:
    words = tuple(_words(sentence))
    values: dict[str, list[tuple[int, str]]] = {}
    for at, word in enumerate(words):
        for kind in _types(words, at):
            values.setdefault(kind, []).append((at, word))
    return Line(chunk, day, words, {kind: tuple(found) for kind, found in values.items()})


def _words(text: str) -> Iterator[str]:
    for word in _TOKEN.findall(text):
        yield word if is_name(word) else word.lower()


def is_name(word: str) -> bool:
    """Whether a word is a name: capitalised and made up."""
    return word[0].isupper() and _made_up(word.lower())


def _made_up(word: str) -> bool:
    return word not in TAKEN and _MADE_UP.fullmatch(word) is not None


def _types(words: tuple[str, ...], at: int) -> Iterator[str]:
    word = words[at]
    if word.isdigit():
        if not (at and words[at - 1] == "day"):
            yield "number"
    elif word[0].isupper():
        yield "town" if at and words[at - 1] == "in" else "person"
    elif word in COLOURS:
        yield "closed"
    elif word in TRADES:
        yield "trade"
    elif word in PLACES_IN_LINE:
        yield "place"
    elif word in ROLE_NOUNS:
        yield "role"
    elif _made_up(word):
        yield "word"


@dataclass
class Case:
    """One question about one page."""

    page: Page
    number: int
    """Of the document."""
    family: str
    form: str
    text: str
    answer: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words of the question."""
        return tuple(_words(self.text))

    @cached_property
    def kind(self) -> str:
        """Type of the answer."""
        return answer_type(self.text)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """People and trades that the question names: its entities."""
        values = _line(0, 0, self.text).values
        return tuple(word for kind in ("person", "trade") for _, word in values.get(kind, ()))

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Attributes that it names, as keys of `Page.where`."""
        return tuple(f"@{ATTRIBUTE_OF[word]}" for word in self.words if word in ATTRIBUTE_OF)

    @cached_property
    def proposed(self) -> str:
        """The value that it proposes or looks for; empty if none."""
        values = _line(0, 0, self.text).values
        for kind in ("town", "number", "word", "closed"):
            if values.get(kind):
                return values[kind][0][1]
        return ""

    @cached_property
    def skeleton(self) -> str:
        """The question without its names, numbers and made-up words."""
        return " ".join("#" if _open(word) else word for word in self.words)


def _open(word: str) -> bool:
    return word.isdigit() or word[0].isupper() or _made_up(word)
