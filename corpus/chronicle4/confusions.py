"""Wrong answers that a reader of the document might give, by the mistake they would show."""

import random
from typing import Final, Literal

from .lexicon import BY_KEY
from .queries import Query, person_of
from .view import View
from .world import Item

Mistake = Literal["stale", "other_attribute", "other_entity", "unreal"]
MISTAKES: Final[tuple[Mistake, ...]] = ("stale", "other_attribute", "other_entity", "unreal")
"""Replaced by the time asked about, or not yet so; of the right person but another attribute; of
another person; only wished for, rumoured or denied."""


def confusions(view: View, item: Item, right: str) -> dict[Mistake, list[str]]:
    """Values of the right form that are wrong for an item, each under its first mistake."""
    person, key = item
    form = BY_KEY[key].form
    found: dict[Mistake, list[str]] = {mistake: [] for mistake in MISTAKES}
    found["stale"] = [setting.value for setting in view.history(item)]
    for other in view.items:
        if other != item and BY_KEY[other[1]].form == form:
            last = view.history(other)[-1].value
            if other[0] == person:
                found["other_attribute"].append(last)
            elif other[1] == key:
                found["other_entity"].append(last)
    found["unreal"] = view.unreal.get(item, [])
    taken = {right: None}
    for mistake in MISTAKES:
        fresh = [value for value in dict.fromkeys(found[mistake]) if value not in taken]
        found[mistake] = fresh
        taken |= dict.fromkeys(fresh)
    return found


def proposal(view: View, rng: random.Random, item: Item, right: str, agree: bool) -> str | None:
    """A value for a yes-or-no question; None where the document has no wrong one."""
    if agree:
        return right
    kinds = [values for values in confusions(view, item, right).values() if values]
    return rng.choice(rng.choice(kinds)) if kinds else None


def of_query(view: View, query: Query, answer: str) -> tuple[tuple[Mistake, str], ...]:
    """What one could answer by mistake to a query for a value or a person, in order of mistakes."""
    if query.kind == "value":
        who = person_of(view, query)
        if who is None:
            return ()
        found = confusions(view, (who[0], query.attribute), answer)
        return tuple((mistake, value) for mistake in MISTAKES for value in found[mistake])
    if query.kind in ("related", "holder", "behind", "ahead", "earlier", "longest"):
        others = (person for person in view.world.people if person not in (answer, query.person))
        if query.kind == "earlier":
            others = (person for person in (query.person, query.other) if person != answer)
        return tuple(("other_entity", person) for person in others)
    return ()
