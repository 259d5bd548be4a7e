"""Two evaluations beside each other: differences where they are of the same questions.

Unlike `compare.py`, which compares recipes and refuses everything that is not alike, this takes any
two evaluations and says what differs. Where both were asked the same questions about the same
documents, differences are paired: one draw of documents for both. Intervals are over documents
alone, those of the training seeds that were measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .compare import REFERENCE, side_by_side
from .scores import ScoredAnswer
from .stats import Bootstrap, Columns, FloatArray, Interval, Statistic, retained, share
from .tally import QUESTIONS, STALE_QUESTIONS, Answers, Tally, stale_column


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both sides."""

    name: str
    first: Interval
    second: Interval
    difference: Interval | None
    """First minus second, paired; None where the questions are not the same."""


def same_questions(first: Sequence[ScoredAnswer], second: Sequence[ScoredAnswer]) -> str:
    """Why two evaluations cannot be paired; empty where their questions are the same."""
    mine, theirs = _questions(first), _questions(second)
    if mine == theirs:
        return ""
    shared = len(mine & theirs)
    return (
        f"{shared} of {len(mine | theirs)} questions are in both, with the same right answers"
        if shared
        else "they have no question in common"
    )


def rows_of(
    first: Sequence[ScoredAnswer], second: Sequence[ScoredAnswer], *, seed: int
) -> tuple[Row, ...]:
    """Figures of every arm that both have, of retention, stale answers and families.

    Args:
        first: scored answers of one evaluation.
        second: those of the other.
        seed: of the draws.
    """
    paired = not same_questions(first, second)
    one, two = Answers(first), Answers(second)
    arms = [arm for arm in one.arms if arm in two.arms]
    made = _Rows(one, two, paired, seed)
    rows = [made.row(f"accuracy, {arm}", share(arm, QUESTIONS)) for arm in arms]
    if {"ceiling", "floor", "compressed"} <= set(arms):
        rows.insert(0, made.row("retention", retained("compressed")))
    if "compressed" in arms:
        stale = share(stale_column("compressed"), STALE_QUESTIONS)
        rows.append(made.row("stale rate, compressed", stale, of=STALE_QUESTIONS))
        rows += [
            made.row(f"accuracy, compressed, {family}", share("compressed", QUESTIONS), family)
            for family in one.families
            if family in two.families
        ]
    return tuple(rows)


class _Rows:
    """Makes rows from the answers of both sides."""

    def __init__(self, one: Answers, two: Answers, paired: bool, seed: int) -> None:
        self._sides, self._paired = (one, two), paired
        self._draws = [Bootstrap.draw(len(side.documents), seed=seed) for side in self._sides]

    def row(
        self, name: str, statistic: Statistic, family: str | None = None, of: str = QUESTIONS
    ) -> Row:
        tallies = [each.of_families([family]) if family else each.all() for each in self._sides]
        first, second = (
            draws.interval(statistic, tally.columns, tally.columns[of])
            for draws, tally in zip(self._draws, tallies, strict=True)
        )
        return Row(name, first, second, self._difference(statistic, tallies, of))

    def _difference(self, statistic: Statistic, tallies: list[Tally], of: str) -> Interval | None:
        if not self._paired:
            return None
        return self._draws[0].interval(
            _minus(statistic), side_by_side(*tallies), tallies[0].columns[of]
        )


def _minus(statistic: Statistic) -> Statistic:
    """A statistic of the first side minus the same of the second, over columns of both."""
    return lambda totals: statistic(totals) - statistic(_Second(totals))


class _Second(Mapping[str, FloatArray]):
    """The columns of the second side, under the names that they have in the first."""

    def __init__(self, totals: Columns) -> None:
        self._totals = totals

    def __getitem__(self, name: str) -> FloatArray:
        return self._totals[f"{REFERENCE}{name}"]

    def __iter__(self) -> Iterator[str]:
        names = (name for name in self._totals if name.startswith(REFERENCE))
        return (name.removeprefix(REFERENCE) for name in names)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _questions(rows: Sequence[ScoredAnswer]) -> set[tuple[str, ...]]:
    return {(row.document_id, row.question_id, row.family, row.answer) for row in rows}
