"""Ten families of questions, each with one right answer, its evidence and its stale answers.

A family is a function from a world to the drafts it can ask; the table `FAMILIES` is the list.
Adding a family is adding a row.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ...common.buckets import bucket_of
from ..records import Question
from .world import Event, Setting, World


@dataclass(frozen=True, slots=True)
class Draft:
    """A question without an id: text, answer, and the events that determine the answer."""

    text: str
    answer: str
    evidence: tuple[Event, ...]
    """Events that determine the answer."""
    stale: tuple[str, ...] = ()
    """Earlier answers, replaced by the time that the question is about."""
    in_summary: bool = True
    """Whether a summary with updates resolved still holds the answer."""

    def chunks(self) -> tuple[int, ...]:
        """Indices of the evidence chunks, ascending."""
        return tuple(sorted({event.chunk for event in self.evidence}))


def _is_update(setting: Setting) -> bool:
    return setting.replaces is not None and not setting.correction


def _values(settings: list[Setting]) -> tuple[str, ...]:
    return tuple(setting.value for setting in settings)


def fact(world: World, rng: random.Random) -> Iterator[Draft]:
    """A value that was set once and never replaced."""
    for item, history in world.settings.items():
        if len(history) == 1:
            text = f"What is the {item.attribute} of {item.subject}?"
            yield Draft(text, history[0].value, (history[0],))


def relation(world: World, rng: random.Random) -> Iterator[Draft]:
    """Who stands in a relation to whom."""
    for event in world.relations:
        yield Draft(f"Who is the {event.kind} of {event.subject}?", event.agent, (event,))


def two_hop(world: World, rng: random.Random) -> Iterator[Draft]:
    """The value in force of an item of a person who is named only by a relation."""
    for event in world.relations:
        for item, history in world.settings.items():
            if item.subject == event.agent:
                text = f"What is the {item.attribute} of the {event.kind} of {event.subject}?"
                last = history[-1]
                yield Draft(text, last.value, (event, last), _values(history[:-1]))


def structure(world: World, rng: random.Random) -> Iterator[Draft]:
    """Membership, hierarchy and ordering."""
    for member in world.memberships:
        yield Draft(f"Which guild did {member.person} join?", member.guild, (member,))
    for tier in world.hierarchy:
        yield Draft(f"Which guild does the {tier.lower} guild answer to?", tier.upper, (tier,))
    for table in world.seatings:
        seat = rng.randrange(len(table.people) - 1)
        text = f"Who sits right after {table.people[seat]} at the table of {table.place}?"
        yield Draft(text, table.people[seat + 1], (table,))


def latest(world: World, rng: random.Random) -> Iterator[Draft]:
    """The value in force at the end, of an item that was updated."""
    for item, history in world.settings.items():
        if len(history) > 1:
            text = f"What is the latest {item.attribute} of {item.subject}?"
            yield Draft(text, history[-1].value, (history[-1],), _values(history[:-1]))


def original(world: World, rng: random.Random) -> Iterator[Draft]:
    """The first value of an item that was updated, unless that value was called a mistake."""
    for item, history in world.settings.items():
        if len(history) > 1 and not history[1].correction:
            text = f"What was the first {item.attribute} of {item.subject}?"
            yield Draft(text, history[0].value, (history[0],), in_summary=False)


def as_of(world: World, rng: random.Random) -> Iterator[Draft]:
    """The value in force on a given day, of an item that was updated.

    Days whose value is corrected later are left out.
    """
    for item, history in world.settings.items():
        stands = [
            at
            for at in range(len(history))
            if at + 1 == len(history) or not history[at + 1].correction
        ]
        if len(history) > 1:
            at = rng.choice(stands)
            first = world.days[history[at].chunk]
            end = (
                world.days[history[at + 1].chunk]
                if at + 1 < len(history)
                else max(world.days[-1], first) + 1
            )
            text = f"What was the {item.attribute} of {item.subject} on day "
            text += f"{rng.randrange(first, end)}?"
            stale = _values(history[:at])
            yield Draft(text, history[at].value, (history[at],), stale, in_summary=False)


def changed(world: World, rng: random.Random) -> Iterator[Draft]:
    """Whether an item ever changed; yes and no in equal shares. A mere correction is neither."""
    histories = list(world.settings.items())
    rng.shuffle(histories)
    never = [pair for pair in histories if len(pair[1]) == 1]
    often = [pair for pair in histories if any(_is_update(setting) for setting in pair[1])]
    both = [("no", never), ("yes", often)]
    rng.shuffle(both)
    # Equal numbers of either, and which comes first is a fair coin: a guess gets one half.
    for turn in range(min(len(never), len(often))):
        for answer, pairs in both:
            item, history = pairs[turn]
            text = f"Did the {item.attribute} of {item.subject} ever change?"
            yield Draft(text, answer, tuple(history), in_summary=False)


def when(world: World, rng: random.Random) -> Iterator[Draft]:
    """The day on which an item was last set, unless that was by a correction."""
    for item, history in world.settings.items():
        if history[-1].correction:
            continue
        days = [str(world.days[setting.chunk]) for setting in history]
        text = f"On which day was the {item.attribute} of {item.subject} last set?"
        yield Draft(text, days[-1], (history[-1],), tuple(days[:-1]))


def order(world: World, rng: random.Random) -> Iterator[Draft]:
    """Which of two people arrived first; the right one is named first half of the time."""
    arrivals = sorted(world.arrivals, key=lambda arrival: arrival.chunk)
    for position, early in enumerate(arrivals):
        for late in arrivals[position + 1 :]:
            if early.chunk < late.chunk:
                pair = [early.person, late.person]
                rng.shuffle(pair)
                text = f"Who arrived first, {pair[0]} or {pair[1]}?"
                yield Draft(text, early.person, (early, late))


Family = Callable[[World, random.Random], Iterator[Draft]]
FAMILIES: Final[dict[str, Family]] = {
    "fact": fact,
    "relation": relation,
    "two_hop": two_hop,
    "structure": structure,
    "latest": latest,
    "original": original,
    "as_of": as_of,
    "changed": changed,
    "when": when,
    "order": order,
}


def draft_questions(world: World, rng: random.Random, most: int) -> list[tuple[str, Draft]]:
    """At most `most` drafts of every family, as (family, draft), picked at random."""
    drafts: list[tuple[str, Draft]] = []
    for name, family in FAMILIES.items():
        options = list(family(world, rng))
        if name != "changed":  # comes shuffled and in balanced pairs
            rng.shuffle(options)
        drafts += [(name, draft) for draft in options[:most]]
    return drafts


def to_question(document_id: str, number: int, family: str, draft: Draft, chunks: int) -> Question:
    """Give a draft its id and its time bucket, that of its latest evidence chunk."""
    evidence = draft.chunks()
    return Question(
        question_id=f"{document_id}/{number:03d}",
        family=family,
        text=draft.text,
        answer=draft.answer,
        stale_answers=draft.stale,
        evidence=evidence,
        bucket=bucket_of(evidence[-1], chunks),
    )
