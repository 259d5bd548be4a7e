"""Names of the published formats, for the command line, which imports no reader of files."""

from typing import Literal

FormatName = Literal["squad", "timeqa", "longmemeval", "fact-consolidation", "babilong", "ruler"]
"""The keys of `formats.FORMATS`; a test compares them."""
