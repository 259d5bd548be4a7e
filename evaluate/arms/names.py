"""Names of the arms on which verdicts rest, for those who know of no model; without torch."""

from typing import Final

REQUIRED_ARMS: Final = ("ceiling", "floor", "compressed", "shuffled", "zero")
"""In the order of the table, where a test compares them with its rows."""
