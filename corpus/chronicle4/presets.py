"""Sizes of the one world: `lab` and `long` for the lab teacher, `qwen3-30b` for 2k-32k tokens."""

from dataclasses import dataclass
from typing import Final

from .problems import problem


@dataclass(frozen=True, slots=True)
class Preset:
    """How large a document is; every count is per document."""

    name: str
    chunks: tuple[int, int]
    """Fewest and most chunks; drawn log-uniformly."""
    days: tuple[int, int]
    """First and last day a chunk may bear. Equal digit counts keep day numbers comparable."""
    people_per_chunk: float
    least_people: int
    forms: int
    """Forms of value that the items of one document have, out of four."""
    items_per_chunk: float
    """Items (such as one person's room) for each chunk."""
    digits: tuple[int, ...]
    """Lengths of numbers: a split holds but a tenth of them, and a document repeats none."""
    roles: int
    """Relations between people (who teaches whom, ...), each between at least three pairs."""
    line: int
    """People who stand in line."""
    hot_items: int
    """Items with tens of updates."""
    hot_updates: tuple[int, int]
    """Fewest and most updates of such an item."""
    questions_per_family: int
    distinct_initials: bool
    """Whether no two names of a document share their first syllable."""


PRESETS: Final[dict[str, Preset]] = {
    preset.name: preset
    for preset in (
        Preset(
            name="lab",
            chunks=(7, 9),
            days=(10, 99),
            people_per_chunk=0.6,
            least_people=5,
            forms=1,
            items_per_chunk=1.0,
            digits=(3, 4, 5),
            roles=2,
            line=4,
            hot_items=0,
            hot_updates=(0, 0),
            questions_per_family=2,
            distinct_initials=True,
        ),
        Preset(
            name="long",
            chunks=(42, 66),
            days=(100, 999),
            people_per_chunk=0.16,
            least_people=8,
            forms=4,
            items_per_chunk=0.8,
            digits=(4, 5, 6),
            roles=4,
            line=6,
            hot_items=2,
            hot_updates=(15, 40),
            questions_per_family=4,
            distinct_initials=True,
        ),
        Preset(
            name="qwen3-30b",
            chunks=(22, 590),
            days=(1000, 9999),
            people_per_chunk=0.2,
            least_people=8,
            forms=4,
            items_per_chunk=1.0,
            digits=(4, 5, 6),
            roles=5,
            line=8,
            hot_items=2,
            hot_updates=(10, 25),
            questions_per_family=4,
            distinct_initials=False,
        ),
    )
}


def preset(name: str) -> Preset:
    """Look a preset up by name.

    Raises:
        CorpusError: no preset has that name; the message lists those there are.
    """
    if name not in PRESETS:
        raise problem(f"unknown corpus preset {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
