"""What every adapter of real text makes of its files: sources, and their entries in time order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a source: a version, a release, an address."""

    parts: tuple[str, ...]
    """Its paragraphs in order, heading and sign-off among them; lines are not wrapped."""
    label: str = ""
    """Version or release as the heading has it; empty where there is none."""
    day: int | None = None
    """Days since 1 January 1900 (`corpus.dates`); None where the text has no dates."""
    date: str = ""
    """The day as the text writes it."""
    author: str = ""
    urgency: str = ""

    @property
    def text(self) -> str:
        """The whole entry, a line a paragraph."""
        return "\n".join(self.parts)


@dataclass(frozen=True, slots=True)
class Source:
    """What is split as a whole: a package's changelog, a year of releases, an address."""

    name: str
    file: str
    """Name of the file it comes from, relative to what was given."""
    runs: tuple[tuple[Entry, ...], ...]
    """Entries, oldest first; between two runs something is left out, so no order is known."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Those of all runs."""
        return tuple(entry for run in self.runs for entry in run)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an adapter reads out of one file."""

    sources: tuple[Source, ...]
    undated: int = 0
    """Entries left out, because their heading or date cannot be read."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What an adapter reads out of all its files."""

    sources: tuple[Source, ...]
    files: Mapping[str, str]
    """Name -> SHA-256 of every file that was read."""
    repeated: int = 0
    """Files left out, because another one has the same bytes or is the same file by a link."""
    undated: int = 0
    """Entries left out, because their heading or date cannot be read."""
    latin1: int = 0
    """Files that are no UTF-8 and were read as Latin-1."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Name -> reason, of files that cannot be read at all."""


def runs_of(entries: Iterable[Entry | None]) -> tuple[tuple[Entry, ...], ...]:
    """Entries, oldest first, as runs.

    A run ends where one is left out (None), and where a day falls below the one before: what came
    right after what is then not what the text says.
    """
    runs: list[list[Entry]] = [[]]
    for entry in entries:
        last = runs[-1][-1] if runs[-1] else None
        falls = (
            entry is not None
            and last is not None
            and entry.day is not None
            and last.day is not None
            and entry.day < last.day
        )
        if entry is None or falls:
            runs.append([])
        if entry is not None:
            runs[-1].append(entry)
    return tuple(tuple(run) for run in runs if run)
