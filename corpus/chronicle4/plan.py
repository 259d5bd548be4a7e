"""Who has what, and in which chunks each item is to be touched: a world's plan, before it runs."""

import random
from dataclasses import dataclass, field
from typing import Final

from .lexicon import OF_FORM, VALUE_FORMS, ValueForm
from .presets import Preset
from .strings import Vocabulary
from .world import Header, Item, World

UPDATED_SHARE: Final = 0.55
TWICE_SHARE: Final = 0.35
"""Of the items that are updated, those updated twice."""
SAME_SHARE: Final = 0.25
"""Items whose first value is that of another person, stated right after it."""
WISH_SHARE: Final = 0.5
"""Of the updates with room for it, those that grant an earlier wish."""
PEOPLE_OF_A_BLOCK: Final = 3
DATED_SHARE: Final = 0.2
UNDATED_SHARE: Final = 0.5
"""Documents of which every chunk tells its day, and of which none does; the rest are mixed."""
BURST_SHARE: Final = 0.55
"""Gaps between chunks of three days at most."""
MOST_LATER: Final = 9
"""Largest gap in days that a chunk may tell as `nine days later`."""


@dataclass(slots=True)
class Plan:
    """What is to happen to one item."""

    item: Item
    chunks: list[int]
    """Where it is set, ascending."""
    wish: int | None = None
    """Chunk in which the value of the last setting is wished for."""
    twin: Item | None = None
    """The item whose first value it shares."""
    twins: list[Item] = field(default_factory=list)


def populate(rng: random.Random, words: Vocabulary, size: Preset, chunks: int) -> World:
    """People, days and items, nothing stated yet."""
    days = _days(rng, size, chunks)
    count = max(size.least_people, round(size.people_per_chunk * chunks))
    people = tuple(words.name() for _ in range(count))
    forms = tuple(rng.sample(VALUE_FORMS, size.forms))
    return World(
        days=days,
        headers=_headers(rng, days),
        people=people,
        pronouns={person: rng.choice(("she", "he")) for person in people},
        forms=forms,
        items=_items(rng, people, forms, round(size.items_per_chunk * chunks)),
    )


def _days(rng: random.Random, size: Preset, chunks: int) -> tuple[int, ...]:
    """Days in bursts: mostly few days apart, sometimes many.

    What is told some days late then often took place before what an earlier chunk tells.
    """
    first, last = size.days
    wide = max(4, 3 * (last - first) // (2 * chunks))
    gaps = [
        rng.randint(1, 3) if rng.random() < BURST_SHARE else rng.randint(4, wide)
        for _ in range(chunks - 1)
    ]
    start = rng.randint(first, max(first, last - sum(gaps)))
    days = [start]
    for at, gap in enumerate(gaps):
        days.append(min(days[-1] + gap, last - (len(gaps) - 1 - at)))
    return tuple(days)


def _headers(rng: random.Random, days: tuple[int, ...]) -> tuple[Header, ...]:
    draw = rng.random()
    if DATED_SHARE <= draw < DATED_SHARE + UNDATED_SHARE:
        return tuple("none" for _ in days)
    silent = 0.0 if draw < DATED_SHARE else 0.5
    headers: list[Header] = []
    for at, day in enumerate(days):
        near = at > 0 and day - days[at - 1] <= MOST_LATER and headers[-1] != "none"
        if rng.random() < silent:
            headers.append("none")
        else:
            headers.append("relative" if near and rng.random() < 0.6 else "absolute")
    return tuple(headers)


def _items(
    rng: random.Random, people: tuple[str, ...], forms: tuple[ValueForm, ...], count: int
) -> list[Item]:
    """Blocks of three people by two or three attributes of one form, so that neither tells."""
    items: list[Item] = []
    waiting: dict[ValueForm, list[str]] = {form: [] for form in forms}
    turn = 0
    while len(items) < count and turn < len(forms) * (len(people) // PEOPLE_OF_A_BLOCK):
        form = forms[turn % len(forms)]
        if len(waiting[form]) < PEOPLE_OF_A_BLOCK:
            waiting[form] = rng.sample(people, len(people))
        block, waiting[form] = (
            waiting[form][:PEOPLE_OF_A_BLOCK],
            waiting[form][PEOPLE_OF_A_BLOCK:],
        )
        width = 3 if turn < len(forms) else 2
        for attribute in rng.sample(OF_FORM[form], width):
            items += [(person, attribute.key) for person in block]
        turn += 1
    return items


def plans(rng: random.Random, world: World, size: Preset) -> list[Plan]:
    """When each item is set, wished for and shared."""
    chunks = len(world.days)
    found: list[Plan] = []
    for item in world.items:
        times = 1
        if rng.random() < UPDATED_SHARE:
            times = 3 if rng.random() < TWICE_SHARE else 2
        found.append(Plan(item, sorted(rng.sample(range(chunks), min(times, chunks)))))
    for plan in rng.sample(found, min(size.hot_items, len(found))):
        low, high = size.hot_updates
        times = min(rng.randint(low, high) + 1, chunks - 1)
        plan.chunks = sorted(rng.sample(range(chunks), times))
    _pair(rng, found)
    for plan in found:
        _wish(rng, plan)
    return found


def _pair(rng: random.Random, found: list[Plan]) -> None:
    for plan in found:
        if plan.twin is not None or plan.twins or rng.random() >= SAME_SHARE:
            continue
        near = [
            other
            for other in found
            if other.item[1] == plan.item[1]
            and other.item[0] != plan.item[0]
            and other.twin is None
            and not other.twins
            and plan.chunks[0] not in other.chunks[1:]
            and (len(other.chunks) == 1 or other.chunks[1] > plan.chunks[0])
        ]
        if near:
            other = rng.choice(near)
            other.chunks[0] = plan.chunks[0]
            other.twin = plan.item
            plan.twins.append(other.item)


def _wish(rng: random.Random, plan: Plan) -> None:
    if len(plan.chunks) > 1 and rng.random() < WISH_SHARE:
        between = range(plan.chunks[-2] + 1, plan.chunks[-1])
        if between:
            plan.wish = rng.choice(between)
