"""From single answers to sums per document: the columns that the bootstrap resamples.

Beginnings of one document are summed with it: they share its text and its questions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .arms.table import in_order
from .scores import ScoredAnswer
from .stats import FloatArray

QUESTIONS = "questions"
"""Column: questions about each document."""
STALE_QUESTIONS = "stale_questions"
"""Column: questions that have a replaced value."""

_DAYS: Final = {True: "yes", False: "no", None: ""}
"""Whether days are needed -> key of its cell; "" if unknown."""


def stale_column(arm: str) -> str:
    """Name of the column that counts an arm's stale answers."""
    return f"stale:{arm}"


def f1_column(arm: str) -> str:
    """Name of the column that sums an arm's F1."""
    return f"f1:{arm}"


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums per document over one choice of questions, the same for every arm."""

    documents: tuple[str, ...]
    """Ids of whole documents, sorted; row order of every column."""
    columns: Mapping[str, FloatArray]
    """`questions`, `stale_questions`, `<arm>` (right answers), `stale:<arm>`, and `f1:<arm>` where
    F1 is known; each [D]."""

    @property
    def questions(self) -> FloatArray:
        """Questions per document, [D]."""
        return self.columns[QUESTIONS]

    @property
    def stale_questions(self) -> FloatArray:
        """Questions per document that have a replaced value, [D]."""
        return self.columns[STALE_QUESTIONS]


class Answers:
    """Scored answers as arrays: indexed once, tallied many times."""

    def __init__(self, rows: Sequence[ScoredAnswer]) -> None:
        """Indexes the rows.

        Raises:
            ValueError: an arm answered a question twice, or not the questions of the other arms.
        """
        self.arms = in_order(row.arm for row in rows)
        self.documents = tuple(sorted({row.cluster for row in rows}))
        """The independent ones: whole documents, whether they were read or beginnings of them."""
        self.beginnings = len({r.document_id for r in rows}) if any(r.original for r in rows) else 0
        """Documents as they were read, where some are beginnings; else 0."""
        self._check_paired(rows)
        position = {document: index for index, document in enumerate(self.documents)}
        self._document = np.array([position[row.cluster] for row in rows], dtype=np.int64)
        self._arm = np.array([row.arm for row in rows])
        self._correct = np.array([row.correct for row in rows], dtype=np.float64)
        self._stale = np.array([row.stale for row in rows], dtype=np.float64)
        self._can_be_stale = np.array([row.can_be_stale for row in rows], dtype=np.float64)
        self._f1 = np.array([nan if row.f1 is None else row.f1 for row in rows])
        self.has_f1 = bool(rows) and not np.isnan(self._f1).any()
        self._age = np.array([-1 if row.age is None else row.age for row in rows])
        self._overrides = np.array([-1 if row.overrides is None else row.overrides for row in rows])
        self.has_ages = bool((self._age >= 0).any())
        self._read = np.array([-1 if row.read is None else row.read for row in rows])
        self._family = np.array([row.family for row in rows])
        self._bucket = np.array([row.bucket for row in rows])
        self._form = np.array([row.form for row in rows])
        self._days = np.array([_DAYS[row.needs_days] for row in rows])
        self.families = tuple(sorted({row.family for row in rows}))
        self.buckets = tuple(sorted({row.bucket for row in rows} - {""}))
        self.forms = tuple(sorted({row.form for row in rows} - {""}))
        self.days = tuple(sorted({_DAYS[row.needs_days] for row in rows} - {""}))
        self.pairs = tuple(sorted({(row.family, row.form) for row in rows if row.form}))
        """Family and form of every kind of question whose form is known."""

    def _check_paired(self, rows: Sequence[ScoredAnswer]) -> None:
        questions: dict[str, set[tuple[str, str]]] = {arm: set() for arm in self.arms}
        for row in rows:
            key = (row.document_id, row.question_id)
            if key in questions[row.arm]:
                raise ValueError(f"arm {row.arm} answered {key} twice")
            questions[row.arm].add(key)
        for arm in self.arms:
            if odd := questions[arm] ^ questions[self.arms[0]]:
                raise ValueError(f"only one of {self.arms[0]}, {arm} answered {min(odd)}")

    def all(self) -> Tally:
        """Sums over all questions."""
        return self._tally(np.ones(len(self._arm), dtype=bool))

    def of_families(self, families: Sequence[str]) -> Tally:
        """Sums over the questions of some families."""
        return self._tally(np.isin(self._family, families))

    def of_bucket(self, bucket: str) -> Tally:
        """Sums over the questions whose evidence lies in one third of the document."""
        return self._tally(self._bucket == bucket)

    def of_form(self, form: str) -> Tally:
        """Sums over the questions with one form of answer."""
        return self._tally(self._form == form)

    def of_days(self, needed: str) -> Tally:
        """Sums over the questions that need the days of chunks (`yes`), or do not (`no`)."""
        return self._tally(self._days == needed)

    def of_age(self, least: int, most: int | None) -> Tally:
        """Sums over the questions whose answer is so many chunks old."""
        return self._tally(_between(self._age, least, most))

    def of_overrides(self, least: int, most: int | None) -> Tally:
        """Sums over the questions with so many replaced values."""
        return self._tally(_between(self._overrides, least, most))

    def of_step(self, least: int, most: int | None) -> Tally:
        """Sums over the questions that were asked when so many chunks had been read."""
        return self._tally(_between(self._read, least, most))

    def of_pair(self, family: str, form: str) -> Tally:
        """Sums over the questions of one family with one form of answer."""
        return self._tally((self._family == family) & (self._form == form))

    def _tally(self, chosen: NDArray[np.bool_]) -> Tally:
        columns: dict[str, FloatArray] = {}
        for arm in self.arms:
            mask = chosen & (self._arm == arm)
            columns[arm] = self._sum(self._correct, mask)
            columns[stale_column(arm)] = self._sum(self._stale, mask)
            if self.has_f1:
                columns[f1_column(arm)] = self._sum(self._f1, mask)
        first = chosen & (self._arm == self.arms[0]) if self.arms else chosen
        columns[QUESTIONS] = self._sum(np.ones_like(self._correct), first)
        columns[STALE_QUESTIONS] = self._sum(self._can_be_stale, first)
        return Tally(self.documents, columns)

    def _sum(self, values: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
        return np.bincount(
            self._document[mask], weights=values[mask], minlength=len(self.documents)
        ).astype(np.float64)


def _between(values: NDArray[np.int64], least: int, most: int | None) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = values >= least
    return inside if most is None else inside & (values <= most)


def pooled(tallies: Sequence[Tally]) -> Tally:
    """Sums over several training seeds: every document weighs its mean over the seeds.

    Raises:
        ValueError: none given, or they are of different documents or arms.
    """
    if not tallies or any(
        (tally.documents, tally.columns.keys()) != (tallies[0].documents, tallies[0].columns.keys())
        for tally in tallies
    ):
        raise ValueError("tallies of different documents or arms cannot be pooled")
    names = tallies[0].columns
    return Tally(
        tallies[0].documents,
        {name: np.sum([tally.columns[name] for tally in tallies], axis=0) for name in names},
    )
