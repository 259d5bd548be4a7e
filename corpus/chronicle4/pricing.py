"""What each family is worth to the cheap readers, as a share of the way from floor to 1."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .cheap import CHEAP, Fit, question_only
from .facts import Chronicle
from .page import Case, Page

DRAWS: Final = 400
"""Bootstrap samples of documents."""
MOST: Final = 0.60
"""Largest share of the way from floor to ceiling that a cheap reader may reach in a family."""


@dataclass(frozen=True, slots=True)
class Price:
    """The best cheap reader of one family and form."""

    family: str
    form: str
    """`all` for the family as a whole."""
    questions: int
    floor: float
    """Share of right answers of who sees the question alone."""
    reader: str
    """Name of the best one."""
    right: float
    """Its share of right answers."""
    share: float
    """Of the way from floor to 1."""
    low: float
    high: float
    """95 % interval of the share: percentiles over draws of documents, the best one chosen anew."""


def cases_of(chronicles: Iterable[Chronicle]) -> list[Case]:
    """Every question of some documents, as cheap readers see them."""
    found: list[Case] = []
    for number, each in enumerate(chronicles):
        page = Page(each.document)
        found += [
            Case(page, number, a.question.family, a.form, a.question.text, a.question.answer)
            for a in each.asked
        ]
    return found


def price(chronicles: Iterable[Chronicle], readers: Mapping[str, Fit] = CHEAP) -> list[Price]:
    """Best cheap reader of every family, and of every form within it.

    Readers that learn do so on every other document and answer about the rest, and the other way
    round, so that every question counts once.
    """
    cases = cases_of(chronicles)
    right = {name: _answered(fit, cases) for name, fit in readers.items()}
    floor = _answered(question_only, cases)
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for at, case in enumerate(cases):
        groups[case.family, "all"].append(at)
        groups[case.family, case.form].append(at)
    return [
        _price(key, rows, cases, floor, right)
        for key, rows in sorted(groups.items(), key=lambda each: (each[0][0], each[0][1] != "all"))
    ]


def _answered(fit: Fit, cases: Sequence[Case]) -> list[bool]:
    readers = [fit([case for case in cases if case.number % 2 != half]) for half in (0, 1)]
    return [readers[case.number % 2](case) == case.answer for case in cases]


def _price(
    key: tuple[str, str],
    rows: Sequence[int],
    cases: Sequence[Case],
    floor: Sequence[bool],
    right: Mapping[str, Sequence[bool]],
) -> Price:
    by_document: defaultdict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_document[cases[row].number].append(row)
    columns = [floor, *right.values()]
    totals = [
        [len(own), *(sum(column[row] for row in own) for column in columns)]
        for own in by_document.values()
    ]
    best, share = _best(totals)
    rng = random.Random(f"price/{key[0]}/{key[1]}")
    draws = sorted(_best(rng.choices(totals, k=len(totals)))[1] for _ in range(DRAWS))
    reader = list(right)[best]
    return Price(
        family=key[0],
        form=key[1],
        questions=len(rows),
        floor=sum(floor[row] for row in rows) / len(rows),
        reader=reader,
        right=sum(right[reader][row] for row in rows) / len(rows),
        share=share,
        low=draws[round(0.025 * DRAWS)],
        high=draws[round(0.975 * DRAWS) - 1],
    )


def _best(totals: Sequence[Sequence[int]]) -> tuple[int, float]:
    sums = [sum(column) for column in zip(*totals, strict=True)]
    count, floor, *right = sums
    best = max(range(len(right)), key=lambda at: right[at])
    return best, (right[best] - floor) / (count - floor) if count > floor else 0.0


def table(prices: Sequence[Price]) -> str:
    """Prices as a table in Markdown."""
    rows = ["| family | form | questions | floor | best cheap reader | right | share [95 %] |"]
    rows.append("|" + "---|" * 7)
    rows += [
        f"| {p.family} | {p.form} | {p.questions} | {p.floor:.3f} | {p.reader} | {p.right:.3f} "
        f"| {p.share:.2f} [{p.low:.2f}, {p.high:.2f}] |"
        for p in prices
    ]
    return "\n".join(rows)
