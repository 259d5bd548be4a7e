"""Ways to make one query about people: roles, the line, who has what, how many and how long.

As in `makers`: a maker draws freely, and gives None where a view offers nothing.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from .draws import CANDIDATES, answer_of, attributes_of, fair, steps_of
from .queries import Query
from .view import View
from .world import Item, Tie


def related(view: View, rng: random.Random) -> Query | None:
    """Who has a role for somebody, or whom somebody has it for."""
    if not view.ties:
        return None
    start, hop, _ = rng.choice(steps_of(view))
    return Query("related", start, (hop,))


def what_to(view: View, rng: random.Random) -> Query | None:
    """What one person is to another."""
    if not view.ties:
        return None
    tie = rng.choice(view.ties)
    pair = [tie.agent, tie.patient]
    rng.shuffle(pair)
    return Query("what_to", pair[0], other=pair[1])


def is_related(view: View, rng: random.Random) -> Query | None:
    """Whether somebody has a role; if not, somebody else of that role or tied to the two."""
    query = related(view, rng)
    if query is None:
        return None
    right = answer_of(view, query) or ""
    if rng.random() < 0.5:
        return replace(query, kind="is_related", other=right)
    wrong = [person for person in _tied(view, query) if person not in (right, query.person)]
    return replace(query, kind="is_related", other=rng.choice(wrong)) if wrong else None


def _tied(view: View, query: Query) -> list[str]:
    """People who stand in some role to the person, or have the role for somebody else."""

    def near(tie: Tie) -> bool:
        return query.person in (tie.agent, tie.patient) or tie.role == query.hops[0][1]

    found = (person for tie in view.ties if near(tie) for person in (tie.agent, tie.patient))
    return list(dict.fromkeys(found))


def in_line(kind: str, view: View, rng: random.Random) -> Query | None:
    """A question of one kind about a person in line, and another one where it takes two."""
    if not view.lines:
        return None
    one, other = rng.sample(view.lines[-1][1], 2)
    return Query(kind, one, other=other if kind == "is_nearer" else "")


def behind(view: View, rng: random.Random) -> Query | None:
    """Who is next to somebody in line, behind or ahead."""
    return in_line(rng.choice(("behind", "ahead")), view, rng)


def place(view: View, rng: random.Random) -> Query | None:
    """Somebody's place in line."""
    return in_line("place", view, rng)


def waiting_before(view: View, rng: random.Random) -> Query | None:
    """How many people are ahead of somebody in line."""
    return in_line("waiting_before", view, rng)


def is_nearer(view: View, rng: random.Random) -> Query | None:
    """Whether one person is ahead of another in line."""
    return in_line("is_nearer", view, rng)


def holder(view: View, rng: random.Random) -> Query | None:
    """Who has a value."""
    return _held("holder", view, rng, view.items)


def holder_trade(view: View, rng: random.Random) -> Query | None:
    """The trade of who has a value."""
    items = [item for item in view.items if view.trade(item[0])]
    return _held("holder_trade", view, rng, items)


def _held(kind: str, view: View, rng: random.Random, items: Sequence[Item]) -> Query | None:
    """A question for who has a value; mostly one that somebody else had before."""
    if not items:
        return None
    had: Counter[tuple[str, str]] = Counter()
    for item in view.items:
        had.update({(item[1], setting.value) for setting in view.history(item)})
    values = [(item[1], view.history(item)[-1].value) for item in items]
    moved = [each for each in values if had[each] > 1]
    attribute, value = rng.choice(moved if moved and rng.random() < 0.65 else values)
    return Query(kind, attribute=attribute, value=value)


def count(view: View, rng: random.Random) -> Query | None:
    """How many people have a value, at the end or on a day; each number is as likely."""
    day = None
    if rng.random() < 0.5:
        day = rng.randrange(view.days[len(view.days[: view.upto + 1]) // 2], view.last_day + 1)
    tallies: dict[int, list[tuple[str, str]]] = {}
    for attribute in attributes_of(view):
        held: Counter[str] = Counter()
        for person in view.holders(attribute):
            item = (person, attribute)
            settings = view.history(item) if day is None else view.on_day(item, day)
            held.update([settings[-1].value] if settings else [])
        for value, number in held.items():
            tallies.setdefault(number, []).append((attribute, value))
    if not tallies:
        return None
    attribute, value = rng.choice(tallies[rng.choice(sorted(tallies))])
    return Query("count", attribute=attribute, value=value, day=day)


def longest(view: View, rng: random.Random) -> Query | None:
    """Who has had the present value the longest."""
    return _of_attribute("longest", view, rng)


def longest_value(view: View, rng: random.Random) -> Query | None:
    """What the one has who has had it the longest."""
    return _of_attribute("longest_value", view, rng)


def _of_attribute(kind: str, view: View, rng: random.Random) -> Query | None:
    """One of the attributes of which the question has an answer."""
    several = [key for key in attributes_of(view) if len(view.holders(key)) >= CANDIDATES]
    queries = (Query(kind, attribute=attribute) for attribute in several)
    answered = [query for query in queries if answer_of(view, query) is not None]
    return rng.choice(answered) if answered else None


def same_value(view: View, rng: random.Random) -> Query | None:
    """Whether two people have the same value: asked where it could be either, by a fair coin."""
    pairs: dict[bool, list[Query]] = {True: [], False: []}
    for attribute in attributes_of(view):
        last = [(p, history[-1].value) for p, history in view.holders(attribute).items()]
        for one, mine in last:
            for other, theirs in last:
                if one != other:
                    query = Query("same_value", one, attribute=attribute, other=other)
                    pairs[mine == theirs].append(query)
    return fair(rng, pairs)
