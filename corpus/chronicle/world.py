"""Simulation of the world behind a chronicle: people, things, and dated events.

A world is a list of events, each placed in one chunk. Semantics, in full:

- An *item* is one attribute of one subject (the code of Karo). A `Setting` gives it a value; a
  later one replaces it, worded as an update or as a correction. The value in force on a day is
  that of the last setting on or before that day. An item is set at most once in a chunk.
  A correction says that the value before it was wrong, which may mean that it was never in
  force; questions whose answer would depend on that interpretation are not generated.
- Relations, memberships, hierarchy, seating and arrivals are stated once and never change.
- A `Rumour` names a value that is not the case; a `Filler` has no content.
"""

import random
from dataclasses import dataclass, field

from .names import Split, Vocabulary
from .presets import Preset


@dataclass(frozen=True, slots=True)
class Item:
    """One attribute of one subject."""

    subject: str
    """As it stands in a sentence: `Karo`, `the Doral lamp`, `the Velun guild`."""
    attribute: str


@dataclass(frozen=True, slots=True)
class Setting:
    """An item gets a value."""

    chunk: int
    item: Item
    value: str
    replaces: str | None
    correction: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """`agent` stands in a relation to `subject`: mentor, doctor, ..., or owner of a thing."""

    chunk: int
    kind: str
    agent: str
    subject: str


@dataclass(frozen=True, slots=True)
class Membership:
    """A person joined a guild."""

    chunk: int
    person: str
    guild: str


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The lower guild answers to the upper one."""

    chunk: int
    lower: str
    upper: str


@dataclass(frozen=True, slots=True)
class Seating:
    """People at the table of a place, in order."""

    chunk: int
    place: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A person arrived; once in a document."""

    chunk: int
    person: str


@dataclass(frozen=True, slots=True)
class Rumour:
    """A value that an item does not have; `form` picks the wording."""

    chunk: int
    item: Item
    value: str


@dataclass(frozen=True, slots=True)
class Filler:
    """A sentence that bears on nothing; `form` picks which."""

    chunk: int
    form: int


Event = Setting | Relation | Membership | Hierarchy | Seating | Arrival | Rumour | Filler

PERSON_ATTRIBUTES = ("code", "room", "password")
THING_ATTRIBUTES = ("tag", "place")
GUILD_ATTRIBUTES = ("motto", "seat")
RELATIONS = ("mentor", "doctor", "tailor", "lawyer")
NOUNS = ("lamp", "clock", "boat", "drum", "map", "ring", "bell", "cart")
UPDATED_SHARE = 0.5
CORRECTED_SHARE = 0.25
RUMOUR_OF_UNCHANGED = 0.85


@dataclass(slots=True)
class World:
    """All facts of one document."""

    days: tuple[int, ...]
    """Day of every chunk, strictly ascending."""
    people: list[str]
    things: list[str]
    guilds: list[str]
    places: list[str]
    settings: dict[Item, list[Setting]] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    hierarchy: list[Hierarchy] = field(default_factory=list)
    seatings: list[Seating] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    rumours: list[Rumour] = field(default_factory=list)
    fillers: list[Filler] = field(default_factory=list)

    def events(self) -> list[Event]:
        """Every event, grouped by kind."""
        updates = [setting for settings in self.settings.values() for setting in settings]
        return [
            *updates,
            *self.relations,
            *self.memberships,
            *self.hierarchy,
            *self.seatings,
            *self.arrivals,
            *self.rumours,
            *self.fillers,
        ]


def simulate(rng: random.Random, size: Preset, split: Split, chunks: int) -> World:
    """Make one world with names and values of `split`, `chunks` chunks long."""
    vocabulary = Vocabulary(rng, split, size)
    days = tuple(sorted(rng.sample(range(size.days[0], size.days[1] + 1), chunks)))
    world = _populate(rng, vocabulary, days)
    _set_items(rng, vocabulary, world, round(size.items_per_chunk * chunks))
    _relate(rng, world)
    _arrange(rng, world)
    _distract(rng, vocabulary, world)
    return world


def _populate(rng: random.Random, vocabulary: Vocabulary, days: tuple[int, ...]) -> World:
    chunks = len(days)
    groups = max(2, round(chunks / 3.5))
    return World(
        days=days,
        people=[vocabulary.name() for _ in range(max(4, round(chunks * 0.65)))],
        things=[f"the {vocabulary.name()} {rng.choice(NOUNS)}" for _ in range(groups)],
        guilds=[vocabulary.name() for _ in range(groups)],
        places=[vocabulary.name() for _ in range(groups)],
    )


def _set_items(rng: random.Random, vocabulary: Vocabulary, world: World, count: int) -> None:
    chunks = range(len(world.days))
    items = [Item(who, attribute) for who in world.people for attribute in PERSON_ATTRIBUTES]
    items += [Item(what, attribute) for what in world.things for attribute in THING_ATTRIBUTES]
    items += [
        Item(f"the {guild} guild", attribute)
        for guild in world.guilds
        for attribute in GUILD_ATTRIBUTES
    ]
    for item in rng.sample(items, min(count, len(items))):
        times = 1 if rng.random() >= UPDATED_SHARE else 2 if rng.random() < 0.7 else 3
        history: list[Setting] = []
        for chunk in sorted(rng.sample(chunks, min(times, len(chunks)))):
            before = history[-1].value if history else None
            corrected = before is not None and rng.random() < CORRECTED_SHARE
            taken = {setting.value for setting in history}
            value = _value(rng, vocabulary, world, item.attribute, taken)
            history.append(Setting(chunk, item, value, before, corrected))
        world.settings[item] = history


def _value(
    rng: random.Random, vocabulary: Vocabulary, world: World, attribute: str, taken: set[str]
) -> str:
    match attribute:
        case "code" | "tag":
            return vocabulary.digits(4)
        case "room":
            return vocabulary.room()
        case "password" | "motto":
            return vocabulary.word()
        case _:  # a place: one of the document's own, or a new one
            known = [place for place in world.places if place not in taken]
            return rng.choice(known) if known and rng.random() < 0.5 else vocabulary.name()


def _relate(rng: random.Random, world: World) -> None:
    chunks = range(len(world.days))
    pairs = [(kind, subject) for kind in RELATIONS for subject in world.people]
    for kind, subject in rng.sample(pairs, min(len(pairs), len(world.people))):
        agent = rng.choice([person for person in world.people if person != subject])
        world.relations.append(Relation(rng.choice(chunks), kind, agent, subject))
    for thing in world.things:
        world.relations.append(
            Relation(rng.choice(chunks), "owner", rng.choice(world.people), thing)
        )


def _arrange(rng: random.Random, world: World) -> None:
    chunks = range(len(world.days))
    members = rng.sample(world.people, max(2, len(world.people) // 2))
    world.memberships = [
        Membership(rng.choice(chunks), person, rng.choice(world.guilds)) for person in members
    ]
    # Each guild answers to an earlier one of the list, so the hierarchy is a tree.
    for position in range(1, len(world.guilds)):
        upper = world.guilds[rng.randrange(position)]
        world.hierarchy.append(Hierarchy(rng.choice(chunks), world.guilds[position], upper))
    for place in rng.sample(world.places, max(1, len(world.places) // 2)):
        seated = tuple(rng.sample(world.people, 4))
        world.seatings.append(Seating(rng.choice(chunks), place, seated))
    arriving = rng.sample(world.people, max(3, len(world.people) * 2 // 3))
    world.arrivals = [Arrival(rng.choice(chunks), person) for person in arriving]


def _distract(rng: random.Random, vocabulary: Vocabulary, world: World) -> None:
    chunks = range(len(world.days))
    items = list(world.settings)
    # Mostly of items that never changed: else "mentioned twice" would be as good as "changed".
    never = [item for item, history in world.settings.items() if len(history) == 1]
    for _ in range(max(2, len(chunks) // 3)):
        item = rng.choice(never if never and rng.random() < RUMOUR_OF_UNCHANGED else items)
        value = _value(rng, vocabulary, world, item.attribute, set(world.places))
        world.rumours.append(Rumour(rng.choice(chunks), item, value))
    for _ in range(max(1, len(chunks) // 3)):
        world.fillers.append(Filler(rng.choice(chunks), rng.randrange(1000)))
