"""What stands around the items: roles, trades, the line, and all that changes nothing."""

import random
from collections.abc import Callable
from typing import Final

from .lexicon import BY_KEY, FILLERS, ROLES, TRADES
from .presets import Preset
from .world import Act, Item, Kind, Tie, World

PAIRS_OF_A_ROLE: Final = 3
"""Fewest pairs of a role: so many candidates has each hop."""
RESTATED: Final = (0.3, 0.65)
"""Share of items stated again without change: of those that change, and of those that never do.
Otherwise "mentioned twice" would be as good as "changed"."""
UNTRUE_PER_CHUNK: Final = 0.4
"""Rumours and denials for each chunk."""
REFUSED_PER_CHUNK: Final = 0.12
FILLERS_PER_CHUNK: Final = 0.12
MOVES: Final = 2
"""Changes of the line; one more for every 15 chunks."""


def furnish(rng: random.Random, world: World, size: Preset) -> None:
    """State roles, trades and the line."""
    _tie(rng, world, size)
    _name_trades(rng, world)
    _line_up(rng, world, size)


def _state(
    world: World,
    chunk: int,
    kind: Kind,
    *,
    item: Item = ("", ""),
    person: str = "",
    value: str = "",
    other: str = "",
    role: str = "",
    people: tuple[str, ...] = (),
) -> Act:
    attribute = BY_KEY[item[1]] if item[1] else None
    person = person or item[0]
    number = len(world.acts)
    act = Act(number, chunk, kind, person, attribute, value, "", other, 0, role, people)
    world.acts.append(act)
    return act


def _tie(rng: random.Random, world: World, size: Preset) -> None:
    chunks = len(world.days)
    count = max(PAIRS_OF_A_ROLE, len(world.people) // 2)
    pairs: dict[tuple[str, str], None] = {}
    for role in rng.sample(ROLES, size.roles):
        circle: list[tuple[str, str]] = []
        while len(circle) < count:
            people = rng.sample(world.people, len(world.people))
            circle = [
                (agent, patient)
                for agent, patient in zip(people, people[1:] + people[:1], strict=True)
                # Two people have one role at most, so "what is A to B" has one answer.
                if (agent, patient) not in pairs and (patient, agent) not in pairs
            ]
        for agent, patient in circle[:count]:
            pairs[agent, patient] = None
            chunk = rng.randrange(chunks)
            act = _state(world, chunk, "role", role=role.key, person=agent, other=patient)
            world.ties.append(Tie(role.key, agent, patient, act.number, chunk))


def _name_trades(rng: random.Random, world: World) -> None:
    early = max(1, len(world.days) // 3)
    count = min(len(TRADES), max(3, len(world.people) // 2))
    for person, trade in zip(
        rng.sample(world.people, count), rng.sample(TRADES, count), strict=True
    ):
        act = _state(world, rng.randrange(early), "trade", person=person, value=trade)
        world.trades[person] = (trade, act)


def _line_up(rng: random.Random, world: World, size: Preset) -> None:
    chunks = len(world.days)
    people = tuple(rng.sample(world.people, min(size.line, len(world.people))))
    count = min(MOVES + chunks // 15, chunks - 1)
    first, *moves = sorted(rng.sample(range(chunks), count + 1))
    acts: tuple[int, ...] = (_state(world, first, "line", people=people).number,)
    world.line.append((first, people, acts))
    for chunk in moves:
        line = list(people)
        if rng.random() < 0.5:
            one, other = rng.sample(line, 2)
            at, to = line.index(one), line.index(other)
            line[at], line[to] = other, one
            act = _state(world, chunk, "line_swap", person=one, other=other)
        else:
            end = rng.choice(("front", "back"))
            inner = [p for p in line if p != (line[0] if end == "front" else line[-1])]
            one = rng.choice(inner)
            line.remove(one)
            line.insert(0 if end == "front" else len(line), one)
            act = _state(world, chunk, "line_move", person=one, value=end)
        people, acts = tuple(line), (*acts, act.number)
        world.line.append((chunk, people, acts))


def distract(rng: random.Random, world: World, fresh: Callable[[Item], str]) -> None:
    """State again what still holds, and what does not hold; and say things of no account."""
    chunks = len(world.days)
    busy = {(act.chunk, act.person, act.attribute.key) for act in world.acts if act.attribute}
    busy |= {(act.chunk, act.other, act.attribute.key) for act in world.acts if act.attribute}
    for item, history in world.histories.items():
        if rng.random() < RESTATED[len(history) == 1]:
            _restate(rng, world, item, busy)
    items = list(world.histories)
    for _ in range(round(UNTRUE_PER_CHUNK * chunks)):
        item, chunk = rng.choice(items), rng.randrange(chunks)
        if (chunk, *item) not in busy:
            _deny(rng, world, item, chunk, fresh)
            busy.add((chunk, *item))
    for _ in range(_times(rng, REFUSED_PER_CHUNK * chunks)):
        _refuse(rng, world, rng.choice(items), busy, fresh)
    for _ in range(_times(rng, FILLERS_PER_CHUNK * chunks)):
        _state(world, rng.randrange(chunks), "filler", value=rng.choice(FILLERS))


def _times(rng: random.Random, mean: float) -> int:
    return int(mean) + (rng.random() < mean - int(mean))


def _restate(rng: random.Random, world: World, item: Item, busy: set[tuple[int, str, str]]) -> None:
    history = world.histories[item]
    at = rng.randrange(len(history))
    setting = history[at]
    after = history[at + 1] if at + 1 < len(history) else None
    # Not before something that is told late, and not of what will turn out wrong.
    if after is not None and after.correction:
        return
    chunks = [
        chunk
        for chunk in range(setting.chunk + 1, len(world.days))
        if (after is None or (chunk < after.chunk and world.days[chunk] < world.day(after)))
        and (chunk, *item) not in busy
    ]
    if chunks:
        chunk = rng.choice(chunks)
        busy.add((chunk, *item))
        _state(world, chunk, "restate", value=setting.value, item=item)


def _deny(
    rng: random.Random, world: World, item: Item, chunk: int, fresh: Callable[[Item], str]
) -> None:
    """A value that the item never has: half of the time one that somebody else has."""
    had = [setting.value for setting in world.histories[item]]
    others = [
        setting.value
        for other, history in world.histories.items()
        if other[1] == item[1]
        for setting in history[-1:]
        if setting.value not in had
    ]
    value = rng.choice(others) if others and rng.random() < 0.5 else fresh(item)
    if value not in had:
        kind: Kind = "rumour" if rng.random() < 0.6 else "denial"
        _state(world, chunk, kind, value=value, item=item)


def _refuse(
    rng: random.Random,
    world: World,
    item: Item,
    busy: set[tuple[int, str, str]],
    fresh: Callable[[Item], str],
) -> None:
    if any(
        act.kind == "ask" and (act.person, act.attribute) == (item[0], BY_KEY[item[1]])
        for act in world.acts
    ):
        return
    first = world.histories[item][0].chunk
    free = [c for c in range(first + 1, len(world.days)) if (c, *item) not in busy]
    value = fresh(item)
    if len(free) < 2 or value in [setting.value for setting in world.histories[item]]:
        return
    asked, refused = sorted(rng.sample(free, 2))
    _state(world, asked, "ask", value=value, item=item)
    _state(world, refused, "refused", item=item)
    busy.add((asked, *item))
    busy.add((refused, *item))
