"""Ways to make one query of a kind from what a view knows; None where it offers none.

A maker draws freely; whether the query has one answer under both readings is checked later.
"""

import random
from collections import Counter
from dataclasses import replace

from .confusions import proposal
from .draws import about, answer_of, attributes_of, fair, items_set, steps_of
from .queries import ANSWERS, Hop, Query
from .view import View
from .world import Item


def never_updated(view: View, rng: random.Random) -> Query | None:
    """The value of an item that was set once; mostly one that nobody else has."""
    items = items_set(view, 1, 1)
    last = Counter((item[1], view.history(item)[-1].value) for item in view.items)
    alone = [item for item in items if last[item[1], view.history(item)[-1].value] == 1]
    return about(rng, alone if alone and rng.random() < 0.6 else items)


def updated(view: View, rng: random.Random) -> Query | None:
    """The value in force of an item that was updated."""
    return about(rng, items_set(view, 2))


def _any_item(view: View, rng: random.Random) -> Query | None:
    return updated(view, rng) if rng.random() < 0.6 else never_updated(view, rng)


def original(view: View, rng: random.Random) -> Query | None:
    """The first value, mostly of an item that was updated."""
    query = updated(view, rng) if rng.random() < 0.85 else never_updated(view, rng)
    return query and replace(query, first=True)


def as_of(view: View, rng: random.Random) -> Query | None:
    """The value on some day since the item was first set."""
    query = updated(view, rng) if rng.random() < 0.8 else never_updated(view, rng)
    if query is None:
        return None
    history = view.history((query.person, query.attribute))
    at = rng.randrange(len(history))
    start = view.day(history[at])
    end = view.day(history[at + 1]) if at + 1 < len(history) else view.last_day + 1
    return replace(query, day=rng.randrange(start, max(start + 1, end)))


def two_hops(view: View, rng: random.Random) -> Query | None:
    """The value of an item of somebody named by a role or, one time in four, by a trade."""
    people = {item[0]: None for item in view.items}
    steps = [step for step in steps_of(view) if step[2] in people]
    if rng.random() < 0.25:
        steps = [("", ("trade", known[0]), p) for p in people if (known := view.trade(p))]
    if not steps:
        return None
    start, hop, end = rng.choice(steps)
    return _at_end(view, rng, start, (hop,), end)


def three_hops(view: View, rng: random.Random) -> Query | None:
    """The value of an item of somebody named by two roles."""
    people = {item[0]: None for item in view.items}
    steps = steps_of(view)
    paths = [
        (one[0], (one[1], two[1]), two[2])
        for one in steps
        for two in steps
        if one[2] == two[0] and two[2] in people and two[2] != one[0]
    ]
    return _at_end(view, rng, *rng.choice(paths)) if paths else None


def _at_end(
    view: View, rng: random.Random, start: str, hops: tuple[Hop, ...], end: str
) -> Query | None:
    items = [item for item in view.items if item[0] == end]
    # Items that were updated count twice, for stale answers to be possible.
    items += [item for item in items if len(view.history(item)) > 1]
    return Query("value", start, hops, rng.choice(items)[1])


def since(view: View, rng: random.Random) -> Query | None:
    """The day from which an item has had its value."""
    query = _any_item(view, rng)
    return query and replace(query, kind="since")


def since_before(view: View, rng: random.Random) -> Query | None:
    """Whether that day lies before a day that is close to it."""
    query = since(view, rng)
    if query is None:
        return None
    day = int(answer_of(view, query) or 0)
    later = range(day + 1, min(day + 9, view.last_day) + 1)
    sooner = range(max(day - 8, view.days[0]), day + 1)
    if not later or not sooner:
        return None
    other = rng.choice(later if rng.random() < 0.5 else sooner)
    return replace(query, kind="since_before", day=other)


def changed(view: View, rng: random.Random) -> Query | None:
    """Whether an item ever changed: yes and no by a fair coin."""
    pairs: dict[bool, list[Item]] = {True: [], False: []}
    for item in view.items:
        history = view.history(item)
        # What was only put right may be said to have changed or not.
        if not any(setting.correction for setting in history):
            pairs[len(history) > 1].append(item)
    if not pairs[True] or not pairs[False]:
        return None
    query = about(rng, pairs[rng.random() < 0.5])
    return query and replace(query, kind="changed")


def values_had(view: View, rng: random.Random) -> Query | None:
    """How many values an item has had: each number that occurs is as likely."""
    counts = sorted({len(view.history(item)) for item in view.items})
    if not counts:
        return None
    count = rng.choice(counts)
    query = about(rng, items_set(view, count, count))
    return query and replace(query, kind="values_had")


def earlier(view: View, rng: random.Random) -> Query | None:
    """Which of two people came by the present value first; either is named first."""
    pairs: dict[bool, list[Query]] = {True: [], False: []}
    for attribute in attributes_of(view):
        last = [(person, history[-1]) for person, history in view.holders(attribute).items()]
        for at, (one, mine) in enumerate(last):
            for other, theirs in last[at + 1 :]:
                days = view.day(mine) - view.day(theirs)
                apart, late = mine.chunk - theirs.chunk, mine.ago - theirs.ago
                turned = apart * late > 0 and abs(late) >= abs(apart)
                query = Query("earlier", one, attribute=attribute, other=other)
                pairs[turned] += [query] if days else []
    # Half of the time one whose order turns on how many days late the later is told.
    found = fair(rng, pairs) or (rng.choice(pairs[False]) if pairs[False] else None)
    if found is not None and rng.random() < 0.5:
        found = replace(found, person=found.other, other=found.person)
    return found


def is_earlier(view: View, rng: random.Random) -> Query | None:
    """Whether one person came by the present value before another."""
    query = earlier(view, rng)
    return query and replace(query, kind="is_earlier")


def proposed(query: Query | None, view: View, rng: random.Random) -> Query | None:
    """A query for a value as a yes-or-no question about a value that may be wrong."""
    agree = rng.random() < 0.5
    right = answer_of(view, query) if query else None
    if query is None or right is None or query.kind != "value":
        return None
    person = query.person
    if query.hops:
        found = ANSWERS["related"](view, query)
        person = found.answer if found else person
    value = proposal(view, rng, (person, query.attribute), right, agree)
    return None if value is None else replace(query, kind="is_value", value=value)
