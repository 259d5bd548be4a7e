"""Text of events and chunks: several unambiguous templates a kind of event."""

import random
from functools import singledispatch

from .world import (
    Arrival,
    Event,
    Filler,
    Hierarchy,
    Membership,
    Relation,
    Rumour,
    Seating,
    Setting,
    World,
)

FIRST = (
    "The {a} of {s} is {v}.",
    "It is noted that the {a} of {s} is {v}.",
    "{S} has {v} as {a}.",
)
UPDATE = (
    "The {a} of {s} is now {v}.",
    "{S} changed the {a} to {v}.",
    "From today the {a} of {s} is {v}.",
)
CORRECTION = ("Correction: the {a} of {s} is {v}, not {u}.",)
RUMOUR = (
    "A rumour says that the {a} of {s} is {v}, which is false.",
    "Nobody believes that the {a} of {s} is {v}.",
)
RELATION = ("{A} is the {k} of {s}.", "{S} has {A} as {k}.")
OWNER = ("{A} is the owner of {s}.", "{A} owns {s}.")
MEMBERSHIP = ("{A} joined the {g} guild.", "The {g} guild took in {A}.")
HIERARCHY = ("The {l} guild answers to the {u} guild.",)
SEATING = ("At the table of {p} sit, in order, {people}.",)
ARRIVAL = ("{A} arrived.", "{A} came to town.")
FILLER = (
    "Rain fell all night.",
    "The market was quiet.",
    "A ship passed in the distance.",
    "The bread was late again.",
    "Someone left a gate open.",
    "The wind turned to the north.",
    "Two dogs slept in the square.",
    "The well was cleaned.",
)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


@singledispatch
def sentence(event: Event, rng: random.Random) -> str:
    """One event in words; `rng` picks among the wordings."""
    raise TypeError(f"no wording for {type(event).__name__}")


@sentence.register
def _(event: Setting, rng: random.Random) -> str:
    forms = FIRST if event.replaces is None else CORRECTION if event.correction else UPDATE
    subject = event.item.subject
    return rng.choice(forms).format(
        a=event.item.attribute,
        s=subject,
        S=_capital(subject),
        v=event.value,
        u=event.replaces,
    )


@sentence.register
def _(event: Rumour, rng: random.Random) -> str:
    return rng.choice(RUMOUR).format(a=event.item.attribute, s=event.item.subject, v=event.value)


@sentence.register
def _(event: Relation, rng: random.Random) -> str:
    forms = OWNER if event.kind == "owner" else RELATION
    subject = event.subject
    return rng.choice(forms).format(A=event.agent, k=event.kind, s=subject, S=_capital(subject))


@sentence.register
def _(event: Membership, rng: random.Random) -> str:
    return rng.choice(MEMBERSHIP).format(A=event.person, g=event.guild)


@sentence.register
def _(event: Hierarchy, rng: random.Random) -> str:
    return rng.choice(HIERARCHY).format(l=event.lower, u=event.upper)


@sentence.register
def _(event: Seating, rng: random.Random) -> str:
    people = f"{', '.join(event.people[:-1])} and {event.people[-1]}"
    return rng.choice(SEATING).format(p=event.place, people=people)


@sentence.register
def _(event: Arrival, rng: random.Random) -> str:
    return rng.choice(ARRIVAL).format(A=event.person)


@sentence.register
def _(event: Filler, rng: random.Random) -> str:
    return FILLER[event.form % len(FILLER)]


def chunk_texts(world: World, rng: random.Random) -> tuple[list[str], list[Event]]:
    """Words of every chunk, and all events in the order in which they were written."""
    by_chunk: list[list[Event]] = [[] for _ in world.days]
    for event in world.events():
        by_chunk[event.chunk].append(event)
    texts: list[str] = []
    written: list[Event] = []
    for day, events in zip(world.days, by_chunk, strict=True):
        rng.shuffle(events)
        written += events
        texts.append(" ".join([f"Day {day}.", *(sentence(event, rng) for event in events)]))
    return texts, written
