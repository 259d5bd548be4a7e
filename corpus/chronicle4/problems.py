"""The one door to the package's errors."""

from ...common.errors import CorpusError


def problem(message: str) -> CorpusError:
    """A `CorpusError` to raise: one line that says what is wrong and what to do."""
    return CorpusError(message)


__all__ = ["CorpusError", "problem"]
