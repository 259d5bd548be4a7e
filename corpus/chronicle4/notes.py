"""The reference summary: notes on what still holds at the end, the newest first.

A note is shorthand for one fact: `Karo room 482 day 17`. A summary within a budget of tokens is as
many whole notes as fit, so what it leaves out is the oldest.
"""

from dataclasses import dataclass
from typing import Final

from .lexicon import BY_KEY, ROLE_OF
from .queries import ANSWERS, Query, person_of
from .view import View
from .world import Item

NOTE_SEPARATOR: Final = "; "

Key = int | Item | None
"""What a note is about: the act that states a role or a trade, an item, or None for the line."""


@dataclass(frozen=True, slots=True)
class Note:
    """One fact that still holds."""

    about: Key
    chunk: int
    """In which it was last stated or changed."""
    text: str


def note_list(view: View) -> tuple[Note, ...]:
    """What a reader who resolved every update would write down, the newest first."""
    found: list[Note] = []
    for person, key in view.items:
        last = view.history((person, key))[-1]
        text = f"{person} {BY_KEY[key].asked[0]} {last.value} day {view.day(last)}"
        found.append(Note((person, key), last.chunk, text))
    for tie in view.ties:
        text = f"{tie.agent} {ROLE_OF[tie.role].agent} of {tie.patient}"
        found.append(Note(tie.act, tie.chunk, text))
    for person in view.world.people:
        trade = view.trade(person)
        if trade is not None:
            chunk = view.world.trades[person][1].chunk
            found.append(Note(trade[1], chunk, f"{person} {trade[0]}"))
    if view.lines:
        chunk, people, _ = view.lines[-1]
        found.append(Note(None, chunk, f"queue {' '.join(people)}"))
    return tuple(sorted(found, key=lambda note: -note.chunk))


def notes(view: View) -> str:
    """All notes in one line."""
    return NOTE_SEPARATOR.join(note.text for note in note_list(view))


_OF_ALL: Final = ("count", "longest", "longest_value", "holder", "holder_trade")
"""Kinds of query that look at everybody's item."""
_OF_TWO: Final = ("earlier", "is_earlier", "same_value")
_OF_ROLES: Final = ("related", "what_to", "is_related")
_OF_LINE: Final = ("behind", "ahead", "place", "waiting_before", "is_nearer")


def needed_notes(view: View, query: Query) -> frozenset[Key] | None:
    """What the notes must be about for a query to be answered from them; None if they cannot.

    Notes keep what holds at the end, so a first value, a day in the past and how often something
    changed are not in them.
    """
    key = query.attribute
    if query.day is not None and query.kind != "since_before" or query.first:
        return None
    if query.kind in _OF_LINE:
        return frozenset((None,))
    if query.kind in _OF_ROLES:
        found = ANSWERS[query.kind](view, query)
        return None if found is None else frozenset(found.acts)
    if query.kind in _OF_TWO:
        return frozenset(((query.person, key), (query.other, key)))
    if query.kind in _OF_ALL:
        trades = (trade for person in view.holders(key) if (trade := view.trade(person)))
        acts = (act for _, act in trades) if query.kind == "holder_trade" else ()
        return frozenset((*((person, key) for person in view.holders(key)), *acts))
    who = person_of(view, query)
    if who is None or query.kind in ("changed", "values_had"):
        return None
    return frozenset(((who[0], key), *who[1]))
