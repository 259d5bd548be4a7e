"""News of the tz database, 1986 to today: which release changed the clocks of which place.

As Debian ships it, `/usr/share/doc/tzdata/changelog.gz`; the database is in the public domain. A
source is a calendar year of releases, because most releases are shorter than any document.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..real_text.ask import Notes
from ..real_text.entries import Entry, Gathered, Parsed, Source, runs_of
from ..real_text.kinds import TextFormat
from ..real_text.reading import Progress, gather, named_files
from .texts import unwrapped, written_day

_AREAS: Final = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Etc|Europe|Indian|Pacific"
NOTES: Final = Notes(
    noun="release",
    names=re.compile(
        rf"(?<![\w/])(?:{_AREAS})/[A-Z][\w+-]*(?:/[A-Z]\w*)?(?![\w/])"
        r"|(?<![\w./-])[a-z][\w-]*\.(?:htm|html|tab|c|h|awk)(?![\w/])"
    ),
)
_HEADING: Final = re.compile(r"^Release (\S+) - (\d{4}-\d\d-\d\d)\b.*$")
_MARK: Final = re.compile(r"\s*[*-]\s")


def collect(path: Path, progress: Progress) -> Gathered:
    """The news of one file, or of a folder that has it as `changelog.gz` or `NEWS`.

    Raises:
        CorpusError: no such path.
    """
    named, linked = named_files(path, ["changelog.gz", "NEWS", "NEWS.gz", "changelog"])
    return gather(named, parse, progress, linked)


def parse(name: str, text: str) -> Parsed:
    """A source for every year in which there was a release."""
    entries = [_entry(lines) for lines in _split(text)]
    years: dict[str, list[Entry | None]] = {}
    year = ""
    for entry in reversed(entries):
        year = entry.date[:4] if entry is not None else year
        years.setdefault(year, []).append(entry)
    sources = [
        Source(f"tz {year}", name, runs)
        for year, members in years.items()
        if (runs := runs_of(members))
    ]
    return Parsed(tuple(sources), sum(entry is None for entry in entries))


def _split(text: str) -> Iterator[list[str]]:
    """Lines of every release, its heading first; what stands before the first is left out."""
    lines = list[str]()
    for line in text.split("\n"):
        if line.startswith("Release ") and lines:
            yield lines
            lines = []
        if lines or line.startswith("Release "):
            lines.append(line)
    if lines:
        yield lines


def _entry(lines: list[str]) -> Entry | None:
    heading = _HEADING.match(lines[0])
    day = None if heading is None else written_day(heading[2])
    if heading is None or day is None:
        return None
    parts = (heading[0].strip(), *unwrapped([*_brief(lines[1:])], _MARK))
    return Entry(parts, label=heading[1], day=day, date=heading[2])


def _brief(lines: list[str]) -> Iterator[str]:
    """Lines, those of the short list that many releases begin with set apart."""
    listed = False
    for line in lines:
        if listed and re.match(r" {4}\S", line):
            yield ""
        listed = line.strip() == "Briefly:" or (listed and bool(line.strip()))
        yield line


FORMAT: Final = TextFormat(
    what="NEWS of the tz database",
    scorer="contains",
    licence="public domain",
    usual=("/usr/share/doc/tzdata/changelog.gz",),
    bring="apt-get install tzdata",
    notes=NOTES,
    collect=collect,
    characters=(700, 2600),
)
