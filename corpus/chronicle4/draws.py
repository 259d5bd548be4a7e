"""What makers of queries share: draws among the items, people and attributes of a view."""

import random
from collections.abc import Sequence
from typing import Final

from .queries import ANSWERS, Hop, Query
from .view import View
from .world import Item

CANDIDATES: Final = 3
"""Fewest people to choose among."""


def items_set(view: View, least: int, most: int = 10**6) -> list[Item]:
    """Items that were set so many times."""
    return [item for item in view.items if least <= len(view.history(item)) <= most]


def answer_of(view: View, query: Query) -> str | None:
    """The answer as written; None if there is none."""
    found = ANSWERS[query.kind](view, query)
    return found.answer if found else None


def about(rng: random.Random, items: Sequence[Item]) -> Query | None:
    """The value of one of some items."""
    if not items:
        return None
    person, attribute = rng.choice(items)
    return Query("value", person, attribute=attribute)


def steps_of(view: View) -> list[tuple[str, Hop, str]]:
    """Every step from one person to another: (from, hop, to)."""
    there = [(tie.patient, ("agent", tie.role), tie.agent) for tie in view.ties]
    return there + [(tie.agent, ("patient", tie.role), tie.patient) for tie in view.ties]


def attributes_of(view: View) -> list[str]:
    """Attributes that anybody has."""
    return list(dict.fromkeys(item[1] for item in view.items))


def fair(rng: random.Random, pairs: dict[bool, list[Query]]) -> Query | None:
    """A query with either answer by a fair coin; None unless both could be asked."""
    if not pairs[True] or not pairs[False]:
        return None
    return rng.choice(pairs[rng.random() < 0.5])
