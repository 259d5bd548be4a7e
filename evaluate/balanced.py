"""Balanced accuracy: every kind of question weighs the same, whatever its number of questions.

How well an answer is kept depends on how it is spelled as well as on what is asked. The mean over
questions mixes both in whatever shares a generator asks, and a family that happens to be asked
with easy answers looks well kept. The balanced figure is the plain mean over cells of family and
answer form (macro average), so no share of questions moves it. Cells of fewer than
`MINIMUM` questions are left out, and named: a mean over them would be the noise of the smallest.
"""

from typing import Final

import numpy as np

from ..common.record import Record
from .arms.table import measurable_arms
from .stats import Bootstrap, Columns, FloatArray, Interval, Statistic, quotient, retention
from .tally import QUESTIONS, Answers

MINIMUM: Final = 20
"""Fewest questions of a cell that counts; 20 independent ones have a standard error of 0.11."""


class Balanced(Record):
    """Means over the cells of family and answer form."""

    cells: dict[str, int]
    """Cells that count, as `family/form`, with their questions."""
    left_out: dict[str, int]
    """Cells with too few questions, with how many they have."""
    accuracy: dict[str, Interval]
    """Mean accuracy of the cells by arm."""
    retention: dict[str, Interval]
    """(accuracy - floor) / (ceiling - floor) of these means, by arm."""


def balance(answers: Answers, bootstrap: Bootstrap) -> Balanced | None:
    """Balanced figures of every arm, from the same draw of documents as all others.

    Returns:
        None where no cell has enough questions, as where no form is known.
    """
    tallies = {f"{family}/{form}": answers.of_pair(family, form) for family, form in answers.pairs}
    counts = {name: round(float(tally.questions.sum())) for name, tally in tallies.items()}
    kept = {name: tally for name, tally in tallies.items() if counts[name] >= MINIMUM}
    if not kept:
        return None
    columns = {
        _column(name, column): tally.columns[column]
        for name, tally in kept.items()
        for column in (QUESTIONS, *answers.arms)
    }
    questions = np.sum([tally.questions for tally in kept.values()], axis=0)
    names = tuple(kept)
    return Balanced(
        cells={name: counts[name] for name in names},
        left_out={name: count for name, count in counts.items() if name not in kept},
        accuracy={
            arm: bootstrap.interval(_mean(names, arm), columns, questions) for arm in answers.arms
        },
        retention={
            arm: bootstrap.interval(_retained(names, arm), columns, questions)
            for arm in measurable_arms(answers.arms)
        },
    )


def _column(cell: str, column: str) -> str:
    return f"{cell}:{column}"


def _mean(cells: tuple[str, ...], arm: str) -> Statistic:
    """The mean over cells of an arm's accuracy; undefined where a resample misses a cell."""

    def statistic(totals: Columns) -> FloatArray:
        shares = [
            quotient(totals[_column(cell, arm)], totals[_column(cell, QUESTIONS)]) for cell in cells
        ]
        mean: FloatArray = np.mean(shares, axis=0)
        return mean

    return statistic


def _retained(cells: tuple[str, ...], arm: str) -> Statistic:
    means = [_mean(cells, name) for name in (arm, "ceiling", "floor")]
    return lambda totals: retention(*(mean(totals) for mean in means))
