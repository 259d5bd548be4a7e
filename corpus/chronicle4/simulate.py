"""A plan carried out, chunk by chunk: what is stated, and what follows from it."""

import random
from collections.abc import Callable
from typing import Final

from .lexicon import BY_KEY, COLOURS, ValueForm
from .plan import Plan, plans, populate
from .presets import Preset
from .strings import Split, Vocabulary
from .surroundings import distract, furnish
from .world import Act, Item, Kind, Setting, World

UPDATES: Final[dict[str, float]] = {
    "update": 0.40,
    "correction": 0.12,
    "swap": 0.18,
    "share": 0.15,
    "takeover": 0.15,
}
"""How an item without a granted wish changes; what is not possible becomes a plain update."""
AGO_SHARE: Final = 0.5
"""Settings that a sentence tells some days after."""
MOST_AGO: Final = 9
KNOWN_SHARE: Final = 0.2
"""Values of a first setting that somebody else has already, in another chunk."""


class Simulation:
    """One world while it runs; `run` gives it back with everything stated."""

    def __init__(self, rng: random.Random, size: Preset, split: Split, chunks: int) -> None:
        self.rng = rng
        self.words = Vocabulary(rng, split, size.distinct_initials)
        self.world = populate(rng, self.words, size, chunks)
        self.plans = plans(rng, self.world, size)
        self.by_item: dict[Item, Plan] = {plan.item: plan for plan in self.plans}
        self.length: dict[str, int] = {p: rng.choice(size.digits) for p in self.world.people}
        self.seen: dict[Item, int] = {}
        """Last day on which something was said of an item: its next setting is later."""
        self.referred: dict[Item, int] = {}
        """Chunk in which somebody else's value was last made of this item's."""
        self.wishes: dict[Item, Act] = {}
        self.taken: dict[Item, None] = {}
        """Items touched in the chunk at hand."""

    def run(self) -> World:
        """Carry out the plan."""
        for chunk in range(len(self.world.days)):
            due = [plan for plan in self.plans if chunk in plan.chunks]
            self.taken = {plan.item: None for plan in due if plan.item not in self.world.histories}
            for plan in due:
                if plan.twin is None or chunk != plan.chunks[0]:
                    self._touch(plan, chunk)
            for plan in self.plans:
                if plan.wish == chunk and plan.item in self.world.histories:
                    value = self.fresh(plan.item)
                    self.wishes[plan.item] = self.act("ask", chunk, plan.item, value=value)
        return self.world

    def fresh(self, item: Item) -> str:
        """A value of the item's form that nobody has had; a colour that the item has not had."""
        form = BY_KEY[item[1]].form
        return self.new_value(form, item)

    def new_value(self, form: ValueForm, item: Item) -> str:
        """A new value of a form; numbers of one person have one length, so it tells nothing."""
        match form:
            case "name":
                return self.words.name(distinct=False)
            case "number":
                return self.words.digits(self.length[item[0]])
            case "word":
                return self.words.word()
            case "closed":
                had = [setting.value for setting in self.world.histories.get(item, ())]
                return self.rng.choice([c for c in COLOURS if c not in had[-6:]])

    def act(
        self,
        kind: Kind,
        chunk: int,
        item: Item,
        *,
        value: str = "",
        old: str = "",
        other: str = "",
        ago: int = 0,
        after: int | None = None,
    ) -> Act:
        """State something about an item."""
        number, attribute = len(self.world.acts), BY_KEY[item[1]]
        act = Act(
            number, chunk, kind, item[0], attribute, value, old, other=other, ago=ago, after=after
        )
        self.world.acts.append(act)
        return act

    def _touch(self, plan: Plan, chunk: int) -> None:
        item = plan.item
        if item not in self.world.histories:
            self._first(plan, chunk)
        elif item in self.taken:
            return  # somebody swapped it away in this very chunk
        elif chunk == plan.chunks[-1] and item in self.wishes:
            self._grant(item, chunk)
        else:
            kind = self.rng.choices(list(UPDATES), list(UPDATES.values()))[0]
            if not _CHANGES[kind](self, item, chunk):
                _update(self, item, chunk)

    def _first(self, plan: Plan, chunk: int) -> None:
        value = self._known(plan.item) or self.fresh(plan.item)
        # "Three days ago ... Milu has the same": since when would Milu have had it?
        ago = 0 if plan.twins else self.ago(plan.item, chunk)
        act = self.act("set", chunk, plan.item, value=value, ago=ago)
        self.put(plan.item, act, value)
        for twin in plan.twins:
            if twin not in self.world.histories:
                same = self.act("same", chunk, twin, value=value, after=act.number)
                self.put(twin, same, value, via=(act.number,))

    def _known(self, item: Item) -> str | None:
        if self.rng.random() >= KNOWN_SHARE:
            return None
        values = [
            history[-1].value
            for other, history in self.world.histories.items()
            if other[1] == item[1] and other[0] != item[0]
        ]
        return self.rng.choice(values) if values else None

    def _grant(self, item: Item, chunk: int) -> None:
        wish = self.wishes.pop(item)
        if self.world.histories[item][-1].value == wish.value:
            return
        act = self.act("granted", chunk, item, value=wish.value, old=self.value(item))
        self.put(item, act, wish.value, via=(wish.number,))

    def value(self, item: Item) -> str:
        """What the item is at this point of the story."""
        return self.world.histories[item][-1].value

    def ago(self, item: Item, chunk: int) -> int:
        """How many days late a setting is told: 0, or as many as keep days in order."""
        day = self.world.days[chunk]
        earliest = max(self.seen.get(item, 0) + 1, self.world.days[0])
        most = min(MOST_AGO, day - earliest)
        if most < 1 or self.rng.random() >= AGO_SHARE:
            return 0
        return max(self.rng.randint(1, most), self.rng.randint(1, most))

    def put(
        self,
        item: Item,
        act: Act,
        value: str,
        *,
        via: tuple[int, ...] = (),
        correction: bool = False,
    ) -> None:
        """Record that the item has a value from this act on."""
        setting = Setting(act.number, act.chunk, act.ago, value, correction, via)
        self.world.histories.setdefault(item, []).append(setting)
        self.seen[item] = self.world.days[act.chunk]
        self.taken[item] = None

    def partners(self, item: Item, chunk: int) -> list[Item]:
        """Other people's items of the attribute, settled, with another value, untouched today."""
        return [
            other
            for other, history in self.world.histories.items()
            if other[1] == item[1]
            and other[0] != item[0]
            and other not in self.taken
            and chunk not in self.by_item[other].chunks
            and history[-1].chunk < chunk
            and history[-1].value != self.value(item)
        ]

    def refer(self, item: Item, chunk: int) -> tuple[int, ...]:
        """Note that a value is made of this item's; the acts its value follows from."""
        self.referred[item] = chunk
        self.seen[item] = self.world.days[chunk]
        return self.world.histories[item][-1].sources()


def _update(run: Simulation, item: Item, chunk: int) -> bool:
    value = run.fresh(item)
    act = run.act("update", chunk, item, value=value, old=run.value(item), ago=run.ago(item, chunk))
    run.put(item, act, value)
    return True


def _correction(run: Simulation, item: Item, chunk: int) -> bool:
    last = run.world.histories[item][-1]
    # What others' values were made of, or what was made of others', is not put right.
    if last.via or last.correction or run.referred.get(item, -1) >= last.chunk:
        return False
    if run.by_item[item].twins and len(run.world.histories[item]) == 1:
        return False
    value = run.fresh(item)
    act = run.act("correction", chunk, item, value=value, old=last.value)
    run.put(item, act, value, correction=True)
    return True


def _swap(run: Simulation, item: Item, chunk: int) -> bool:
    others = run.partners(item, chunk)
    if not others:
        return False
    other = run.rng.choice(others)
    mine, theirs = run.value(item), run.value(other)
    my_sources, their_sources = run.refer(item, chunk), run.refer(other, chunk)
    act = run.act("swap", chunk, item, value=theirs, old=mine, other=other[0])
    run.put(item, act, theirs, via=their_sources)
    run.put(other, act, mine, via=my_sources)
    return True


def _share(run: Simulation, item: Item, chunk: int) -> bool:
    others = run.partners(item, chunk)
    if not others:
        return False
    other = run.rng.choice(others)
    value = run.value(other)
    sources = run.refer(other, chunk)
    act = run.act("share", chunk, item, value=value, old=run.value(item), other=other[0])
    run.put(item, act, value, via=sources)
    run.taken[other] = None
    return True


def _takeover(run: Simulation, item: Item, chunk: int) -> bool:
    others = run.partners(item, chunk)
    if not others:
        return False
    other = run.rng.choice(others)
    mine, fresh = run.value(other), run.fresh(other)
    sources = run.refer(other, chunk)
    # `value` is what the other one gets instead, the only value that is written.
    act = run.act("takeover", chunk, item, value=fresh, old=run.value(item), other=other[0])
    run.put(item, act, mine, via=sources)
    run.put(other, act, fresh)
    return True


_CHANGES: Final[dict[str, Callable[[Simulation, Item, int], bool]]] = {
    "update": _update,
    "correction": _correction,
    "swap": _swap,
    "share": _share,
    "takeover": _takeover,
}
"""How an item changes, by kind: each says whether it could."""


def simulate(rng: random.Random, size: Preset, split: Split, chunks: int) -> World:
    """Make one world with names and values of `split`, `chunks` chunks long."""
    run = Simulation(rng, size, split, chunks)
    world = run.run()
    furnish(rng, world, size)
    distract(rng, world, run.fresh)
    return world
