"""Names of the formats that are imported, for the command line, which imports no reader."""

from typing import Literal

FormatName = Literal[
    "squad",
    "timeqa",
    "longmemeval",
    "fact-consolidation",
    "babilong",
    "ruler",
    "tz-news",
    "debian-changelog",
    "git-notes",
    "sotu",
]
"""The keys of `formats.FORMATS`; a test compares them."""
