"""Documents of a bounded length, cut out of sources: whole entries, and paragraphs of long ones."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..dates import date_of
from ..outside.texts import sentences
from ..records import CHUNK_SEPARATOR, Chunk
from .entries import Entry, Source

CHUNK_CHARACTERS: Final = 600
"""A chunk is an entry, or as many of its paragraphs as fit into this."""

ENTRIES: Final = 3
"""Entries that a document has where they fit."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Text of one document."""

    chunks: tuple[Chunk, ...]
    entries: tuple[Entry, ...]
    """Whole entries that it consists of; empty for a part of one that is longer than a document."""

    @property
    def text(self) -> str:
        """Text of the document."""
        return CHUNK_SEPARATOR.join(each.text for each in self.chunks)

    @property
    def characters(self) -> int:
        """Length of the document's text."""
        return len(self.text)


def cut_source(source: Source, low: int, high: int) -> Iterator[Stretch]:
    """Cut a source into documents of `low` to `high` characters; what is too short is left out.

    Lengths wanted are drawn log-uniformly between the two, by a hash of the source's name, so that
    every length has its share; a document of fewer than `ENTRIES` goes on as long as it may, since
    little can be asked about it. No document has two runs in it.
    """
    number = 0
    for run in source.runs:
        waiting = list[Entry]()
        for entry in [*run, None]:
            full = waiting and (
                entry is None
                or (
                    len(waiting) >= ENTRIES
                    and _size(waiting) >= _wanted(source.name, number, low, high)
                )
                or _size([*waiting, entry]) > high
            )
            if full:
                if _size(waiting) >= low:
                    yield Stretch(_numbered(_pieces(waiting)), tuple(waiting))
                number += 1
                waiting = []
            if entry is not None and len(entry.text) > high:
                for part in _parts(entry, source.name, low, high):
                    yield Stretch(part, ())
            elif entry is not None:
                waiting.append(entry)


def _parts(entry: Entry, name: str, low: int, high: int) -> Iterator[tuple[Chunk, ...]]:
    """Documents out of one entry that is too long for one."""
    waiting, number = list[Chunk](), 0
    for piece in [*_pieces([entry]), None]:
        length = sum(len(each.text) + 1 for each in waiting) - 1
        full = waiting and (
            piece is None
            or length >= _wanted(f"{name} {entry.label} {entry.day}", number, low, high)
            or length + 1 + len(piece.text) > high
        )
        if full:
            if length >= low:
                yield _numbered(waiting)
            waiting, number = [], number + 1
        if piece is not None:
            waiting.append(piece)


def _wanted(name: str, number: int, low: int, high: int) -> float:
    """Characters from which on a document is long enough."""
    digits = hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:12]
    return float(low * (high / low) ** (int(digits, 16) / 16**12))


def _size(entries: Sequence[Entry]) -> int:
    return sum(len(entry.text) + 1 for entry in entries) - 1


def _pieces(entries: Sequence[Entry]) -> list[Chunk]:
    """Chunks of entries; one that does not name its day has it in `dated_text`."""
    chunks = list[Chunk]()
    for entry in entries:
        for text in _packed(entry.parts):
            day = entry.day
            named = day is None or (entry.date and entry.date in text)
            dated = None if named or day is None else f"{date_of(day)}. {text}"
            chunks.append(Chunk(0, text, day, dated))
    return chunks


def _numbered(chunks: Sequence[Chunk]) -> tuple[Chunk, ...]:
    return tuple(
        Chunk(index, each.text, each.day, each.dated_text) for index, each in enumerate(chunks)
    )


def _packed(parts: Sequence[str]) -> Iterator[str]:
    """Paragraphs in chunks; a longer one is cut between sentences, and only then between words."""
    waiting = list[str]()
    for line in [short for part in parts for short in _short(part)]:
        if waiting and sum(map(len, waiting)) + len(waiting) + len(line) > CHUNK_CHARACTERS:
            yield "\n".join(waiting)
            waiting = []
        waiting.append(line)
    if waiting:
        yield "\n".join(waiting)


def _short(part: str) -> Iterator[str]:
    """A paragraph as pieces of at most `CHUNK_CHARACTERS`, each as long as it may be."""
    if len(part) <= CHUNK_CHARACTERS:
        yield part
        return
    waiting = ""
    for sentence in [word for _, text in sentences(part) for word in _words(text)]:
        if waiting and len(waiting) + 1 + len(sentence) > CHUNK_CHARACTERS:
            yield waiting
            waiting = sentence
        else:
            waiting = f"{waiting} {sentence}" if waiting else sentence
    if waiting:
        yield waiting


def _words(sentence: str) -> list[str]:
    """A sentence, or its words where it is too long, or pieces of a word that is."""
    if len(sentence) <= CHUNK_CHARACTERS:
        return [sentence]
    return [
        word[start : start + CHUNK_CHARACTERS]
        for word in sentence.split()
        for start in range(0, len(word), CHUNK_CHARACTERS)
    ]
