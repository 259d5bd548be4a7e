"""Accuracy by how old the answer is when it is asked for, and by how often it was replaced.

Age is counted in chunks: how many stand behind the last one that settles the answer. Whether a
memory keeps what it read long ago, and whether it lets go of what was replaced, are questions of
these two; thirds of the document (`buckets`) say the first for documents of one length alone.
"""

from collections.abc import Callable
from typing import Final

from ..common.record import Record
from .cell import Cell
from .tally import Answers, Tally

AGES: Final[tuple[tuple[str, int, int | None], ...]] = (
    ("0", 0, 0),
    ("1-2", 1, 2),
    ("3-5", 3, 5),
    ("6-10", 6, 10),
    ("11+", 11, None),
)
"""(name, least, most): chunks behind the one that settles the answer."""
OVERRIDES: Final[tuple[tuple[str, int, int | None], ...]] = (
    ("0", 0, 0),
    ("1", 1, 1),
    ("2+", 2, None),
)
"""(name, least, most): values that were replaced before the answer held."""


class Past(Record):
    """Cells of the questions whose evidence is known."""

    ages: dict[str, Cell]
    """By age, where any question has that age."""
    overrides: dict[str, Cell]
    """By number of replaced values."""


def by_past(answers: Answers, cell: Callable[[Tally], Cell]) -> Past | None:
    """Both breakdowns; None where no question says where its answer stands."""
    if not answers.has_ages:
        return None
    ages = {name: answers.of_age(least, most) for name, least, most in AGES}
    overrides = {name: answers.of_overrides(least, most) for name, least, most in OVERRIDES}
    return Past(
        ages={name: cell(tally) for name, tally in ages.items() if tally.questions.sum()},
        overrides={name: cell(tally) for name, tally in overrides.items() if tally.questions.sum()},
    )
