"""Changelogs of Debian packages: dated, versioned, signed entries, the newest first.

As Debian ships them, `/usr/share/doc/PACKAGE/changelog.Debian.gz`, or `changelog.gz` of a package
made for Debian alone, each under the licence of its package. Python-debian, which reads them too,
is GPL; two patterns are enough for what is wanted.
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

NOTES: Final = Notes(
    noun="version",
    names=re.compile(r"(?<![\w#/])#\d{4,7}(?!\w)|(?<![\w-])CVE-\d{4}-\d{4,7}(?!\w)"),
    bugs=re.compile(r"(?i)(?:#|\bbugs?[: ]*|\bcloses?[:= ]*)(\d{3,7})\b"),
)
_HEADING: Final = re.compile(
    r"^([a-zA-Z0-9][\w+.-]*) \(([^()\s]+)\)((?: [\w.-]+)+); *urgency=(\w+)(.*)$"
)
_SIGNED: Final = re.compile(r"^ -- (.*?) *<[^<>]*> +\w+, +(\d{1,2} +[A-Z][a-z]+ +\d{4})\b")
_MARK: Final = re.compile(r"\s*([*+-]\s|\[)")
_NAMES: Final = ("changelog.Debian.gz", "changelog.Debian", "changelog.gz")


def collect(path: Path, progress: Progress) -> Gathered:
    """Changelogs of a file or of a folder such as `/usr/share/doc`, a source for every file.

    Raises:
        CorpusError: no such path.
    """
    named, linked = named_files(path, [below + name for below in ("", "*/") for name in _NAMES])
    known = {name for name, _ in named}
    # A package made for Debian alone has its changelog under the name of others' upstream ones.
    wanted = [
        (name, load)
        for name, load in named
        if not name.endswith("changelog.gz")
        or name.replace("changelog.gz", "changelog.Debian.gz") not in known
    ]
    return gather(wanted, parse, progress, linked)


def parse(name: str, text: str) -> Parsed:
    """The source of one changelog, called as the package in its newest entry."""
    entries: list[Entry | None] = []
    source = ""
    for heading, body in _split(text):
        source = source or heading[1]
        entries.append(_entry(heading, body))
    runs = runs_of(reversed(entries))
    sources = (Source(source, name, runs),) if runs else ()
    return Parsed(sources, sum(entry is None for entry in entries))


def _split(text: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Headings with the lines below them."""
    heading, body = None, list[str]()
    for line in text.split("\n"):
        match = _HEADING.match(line)
        if match is None:
            body.append(line)
            continue
        if heading is not None:
            yield heading, body
        heading, body = match, []
    if heading is not None:
        yield heading, body


def _entry(heading: re.Match[str], body: list[str]) -> Entry | None:
    """An entry; None where it is not signed with a date that there is."""
    matches = (
        (number, match) for number, line in enumerate(body) if (match := _SIGNED.match(line))
    )
    number, signed = next(matches, (0, None))
    day = None if signed is None else written_day(signed[2])
    paragraphs = unwrapped(body[:number], _MARK)
    if signed is None or day is None or not signed[1].strip() or not paragraphs:
        return None
    return Entry(
        parts=(heading[0].strip(), *paragraphs, " ".join(body[number].split())),
        label=heading[2],
        day=day,
        date=" ".join(signed[2].split()),
        author=" ".join(signed[1].split()),
        urgency=heading[4] if heading[4].islower() else "",
    )


FORMAT: Final = TextFormat(
    what="changelogs of Debian packages",
    scorer="contains",
    licence="that of each package, in the file `copyright` beside its changelog",
    usual=("/usr/share/doc",),
    bring="apt-get install PACKAGE",
    notes=NOTES,
    collect=collect,
    characters=(700, 2600),
)
