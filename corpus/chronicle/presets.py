"""Sizes of the one chronicle world: `lab` for 300-600 lab tokens, `qwen3-30b` for 2k-32k."""

from dataclasses import dataclass
from typing import Final

from ...common.errors import CorpusError


@dataclass(frozen=True, slots=True)
class Preset:
    """How large a chronicle is; every count is per document."""

    name: str
    chunks: tuple[int, int]
    """Fewest and most dated chunks; drawn log-uniformly."""
    days: tuple[int, int]
    """First and last day a chunk may bear. Equal digit counts keep day numbers comparable."""
    items_per_chunk: float
    """Record items (such as one person's code) for each chunk."""
    questions_per_family: int
    """At most this many questions of each family."""
    room_digits: int
    """Digits of a room number: a split holds but a tenth of them, and a document repeats none."""
    distinct_initials: bool
    """Whether no two names of a document share their first syllable."""


PRESETS: Final[dict[str, Preset]] = {
    "lab": Preset("lab", (7, 9), (10, 99), 1.0, 2, 3, True),
    "qwen3-30b": Preset("qwen3-30b", (30, 520), (1000, 9999), 1.05, 4, 5, False),
}


def preset(name: str) -> Preset:
    """Look a preset up by name.

    Raises:
        CorpusError: no preset has that name; the message lists those there are.
    """
    if name not in PRESETS:
        raise CorpusError(f"unknown corpus preset {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
