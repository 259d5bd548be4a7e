"""The reference summary of a chronicle: notes with updates resolved, the newest first.

A note is shorthand for one event that still holds: `Karo code 4821 day 17`. A summary within a
budget of tokens is as many whole notes as fit, so what it leaves out is the oldest.
"""

from functools import singledispatch

from .world import Arrival, Event, Hierarchy, Membership, Relation, Seating, Setting, World

NOTE_SEPARATOR = "; "


def _short(subject: str) -> str:
    return subject.removeprefix("the ")


@singledispatch
def note(event: Event, day: int) -> str | None:
    """One event in shorthand, or None if it is not worth a note (rumours, filler)."""
    return None


@note.register
def _(event: Setting, day: int) -> str:
    return f"{_short(event.item.subject)} {event.item.attribute} {event.value} day {day}"


@note.register
def _(event: Relation, day: int) -> str:
    return f"{_short(event.subject)} {event.kind} {event.agent}"


@note.register
def _(event: Membership, day: int) -> str:
    return f"{event.person} joined {event.guild}"


@note.register
def _(event: Hierarchy, day: int) -> str:
    return f"{event.lower} answers to {event.upper}"


@note.register
def _(event: Seating, day: int) -> str:
    return f"{event.place} table {' '.join(event.people)}"


@note.register
def _(event: Arrival, day: int) -> str:
    return f"{event.person} arrived day {day}"


def notes(world: World, written: list[Event]) -> list[tuple[Event, str]]:
    """What still holds at the end, newest first, each event with its note."""
    in_force = {history[-1] for history in world.settings.values()}
    kept: list[tuple[Event, str]] = []
    for event in reversed(written):
        if isinstance(event, Setting) and event not in in_force:
            continue
        text = note(event, world.days[event.chunk])
        if text is not None:
            kept.append((event, text))
    return kept
