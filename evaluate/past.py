"""Accuracy by how old the answer is, by how often it was replaced, and by what was read so far.

Age is counted in chunks: how many stand behind the last one that settles the answer. Whether a
memory keeps what it read long ago, and whether it lets go of what was replaced, are questions of
these two; thirds of the document (`buckets`) say the first for documents of one length alone.

Of beginnings of documents, what was read so far is a breakdown too. Later steps ask more and other
questions, so what a memory lost as it grew is shown by those alone that were asked more than once.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from pydantic import Field

from ..common.record import Record
from .cell import Cell
from .scores import ScoredAnswer
from .stats import Bootstrap, Interval, difference
from .tally import Answers, Tally

Bins = tuple[tuple[str, int, int | None], ...]
"""(name, least, most), most None for no limit."""
Choice = Callable[[Answers, int, int | None], Tally]
"""Sums over the questions of one bin."""

AGES: Final[Bins] = (
    ("0", 0, 0),
    ("1-2", 1, 2),
    ("3-5", 3, 5),
    ("6-10", 6, 10),
    ("11+", 11, None),
)
"""(name, least, most): chunks behind the one that settles the answer."""
OVERRIDES: Final[Bins] = (
    ("0", 0, 0),
    ("1", 1, 1),
    ("2+", 2, None),
)
"""(name, least, most): values that were replaced before the answer held."""
STEPS: Final[Bins] = (
    ("1-2", 1, 2),
    ("3-4", 3, 4),
    ("5-6", 5, 6),
    ("7-10", 7, 10),
    ("11-20", 11, 20),
    ("21-50", 21, 50),
    ("51+", 51, None),
)
"""(name, least, most): chunks that had been read when it was asked."""
BREAKDOWNS: Final[dict[str, tuple[Bins, Choice]]] = {
    "ages": (AGES, Answers.of_age),
    "overrides": (OVERRIDES, Answers.of_overrides),
    "steps": (STEPS, Answers.of_step),
}
"""Field of `Past` -> its bins, and the questions of one of them."""


class Past(Record):
    """Cells of the questions whose evidence is known."""

    ages: dict[str, Cell]
    """By age, where any question has that age."""
    overrides: dict[str, Cell]
    """By number of replaced values."""
    steps: dict[str, Cell] = Field(default_factory=dict)
    """By chunks read, of beginnings; empty of whole documents, and in earlier results."""
    drift: dict[str, Interval] = Field(default_factory=dict)
    """By arm: accuracy when a question was asked last minus when it was asked first, over those
    asked more than once; empty as above."""


def by_past(
    rows: Sequence[ScoredAnswer],
    answers: Answers,
    cell: Callable[[Tally], Cell],
    bootstrap: Bootstrap,
) -> Past | None:
    """All breakdowns; None where no question says where its answer stands.

    Args:
        rows: every arm's answer to the same questions.
        answers: the same, indexed.
        cell: figures of a choice of questions.
        bootstrap: the draw of documents that they have in common.
    """
    if not answers.has_ages:
        return None
    grows = bool(answers.beginnings)
    cells = {
        what: {
            name: cell(tally)
            for name, least, most in bins
            if (tally := choose(answers, least, most)).questions.sum()
        }
        for what, (bins, choose) in BREAKDOWNS.items()
        if what != "steps" or grows
    }
    return Past(**cells, drift=_drift(rows, answers, bootstrap) if grows else {})


def _drift(
    rows: Sequence[ScoredAnswer], answers: Answers, bootstrap: Bootstrap
) -> dict[str, Interval]:
    askings: dict[tuple[str, str, str], list[tuple[int, bool]]] = defaultdict(list)
    for row in rows:
        if row.read is not None:
            askings[row.arm, row.cluster, row.question_id].append((row.read, row.correct))
    position = {name: index for index, name in enumerate(answers.documents)}
    made = {}
    for arm in answers.arms:
        sums = np.zeros((3, len(position)))
        for (of, document, _), times in askings.items():
            if of == arm and len(times) > 1:
                sums[:, position[document]] += (min(times)[1], max(times)[1], 1)
        columns = {"first": sums[0], "last": sums[1], "questions": sums[2]}
        if sums[2].any():
            what = difference("last", "first", "questions")
            made[arm] = bootstrap.interval(what, columns, sums[2])
    return made
