"""The reference summary: notes on what still holds at the end, the newest first.

A note is shorthand for one fact: `Karo room 482 day 17`. A summary within a budget of tokens is as
many whole notes as fit, so what it leaves out is the oldest.
"""

from typing import Final

from .lexicon import BY_KEY, ROLE_OF
from .view import View

NOTE_SEPARATOR: Final = "; "


def notes(view: View) -> str:
    """What a reader who resolved every update would write down."""
    found: list[tuple[int, str]] = []
    for person, key in view.items:
        last = view.history((person, key))[-1]
        noun = BY_KEY[key].asked[0]
        found.append((last.chunk, f"{person} {noun} {last.value} day {view.day(last)}"))
    for tie in view.ties:
        found.append((tie.chunk, f"{tie.agent} {ROLE_OF[tie.role].agent} of {tie.patient}"))
    for person in view.world.people:
        trade = view.trade(person)
        if trade is not None:
            found.append((view.world.trades[person][1].chunk, f"{person} {trade[0]}"))
    if view.lines:
        chunk, people, _ = view.lines[-1]
        found.append((chunk, f"queue {' '.join(people)}"))
    found.sort(key=lambda each: -each[0])
    return NOTE_SEPARATOR.join(text for _, text in found)
