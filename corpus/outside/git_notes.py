"""Release notes of git, one file a release and no dates: `/usr/share/doc/git/RelNotes`, GPL-2.

A source is a series, such as 2.39 with 2.39.1 to 2.39.5, in the order of its versions.
"""

import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final

from ..real_text.ask import Notes
from ..real_text.entries import Entry, Gathered, Parsed, Source
from ..real_text.kinds import TextFormat
from ..real_text.reading import Progress, gather, named_files
from .texts import unwrapped

NOTES: Final = Notes(
    noun="release",
    names=re.compile(r"(?<![\w-])--[a-z][a-z-]{3,}\b(?![\w-])|(?<![\w-])CVE-\d{4}-\d{4,7}(?!\w)"),
)
_HEADING: Final = re.compile(r"^(?:Git|GIT) .*?(\d+(?:\.\d+)+)(?:\.txt)? Release Notes$")
_RULE: Final = re.compile(r"^\s*([=~-])\1{3,}\s*$")
_MARK: Final = re.compile(r"\s*[*-]\s")


def collect(path: Path, progress: Progress) -> Gathered:
    """Notes of a folder of releases, or of one file.

    Raises:
        CorpusError: no such path.
    """
    named, linked = named_files(path, ["*.txt", "*.adoc"])
    gathered = gather(named, parse, progress, linked)
    ordered = sorted(gathered.sources, key=lambda one: _numbers(one.entries[0].label))
    merged = [
        Source(name, members[0].file, (tuple(one.entries[0] for one in members),))
        for name, group in groupby(ordered, key=lambda one: one.name)
        for members in [list(group)]
    ]
    return replace(gathered, sources=tuple(merged))


def parse(name: str, text: str) -> Parsed:
    """The one entry of one file, in a source called as its series."""
    lines = [line for line in text.split("\n") if not _RULE.match(line)]
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    heading = _HEADING.match(lines[first].strip())
    if heading is None:
        return Parsed((), 1)
    parts = (heading[0], *unwrapped(lines[first + 1 :], _MARK))
    return Parsed((Source(f"git {_series(heading[1])}", name, ((Entry(parts, heading[1]),),)),))


def _numbers(label: str) -> tuple[int, ...]:
    return tuple(map(int, label.split(".")))


def _series(label: str) -> str:
    """2.39 of 2.39.1; 1.8.5 of 1.8.5.2, as versions were counted before 1.9."""
    numbers = label.split(".")
    return ".".join(numbers[: 3 if _numbers(label)[:2] < (1, 9) else 2])


FORMAT: Final = TextFormat(
    what="release notes of git",
    scorer="contains",
    licence="GPL-2.0-only",
    usual=("/usr/share/doc/git/RelNotes",),
    bring="apt-get install git",
    notes=NOTES,
    collect=collect,
    characters=(1000, 3800),
)
