"""The families of questions: a table. Each is asked with every form of answer that makes sense.

Adding a family is adding a row; a new kind of query needs a row in `queries.ANSWERS` and its
words in `asking.WORDS`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from . import makers, makers_people
from .queries import ANSWERS, Finding, Query
from .view import View

Maker = Callable[[View, random.Random], Query | None]
TRIES: Final = 4
"""Draws of one slot before another one is taken."""
UNDATED_FIRST: Final = 0.8
"""How often a question that rests on chunks with a day is passed over for another, where a family
favours those without."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One kind of question of a family."""

    name: str
    share: float
    """Of the family's questions, where a document offers all kinds; the shares sum to 1."""
    maker: Maker


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of knowledge."""

    name: str
    asks: str
    """What it asks for, in words."""
    slots: tuple[Slot, ...]
    favours_undated: bool = False
    """Whether questions on chunks that do not tell their day are preferred, so that enough of them
    need the days of the metadata."""
    held_out: bool = False
    """Whether the compressor's training is to leave it out: what it does there was not taught."""


def _or_no(maker: Maker) -> tuple[Slot, ...]:
    """A value three times in four, else a yes-or-no question about one."""
    return (
        Slot("value", 0.75, maker),
        Slot("yes or no", 0.25, lambda view, rng: makers.proposed(maker(view, rng), view, rng)),
    )


FAMILIES: Final[dict[str, Family]] = {
    family.name: family
    for family in (
        Family("fact", "what an item is that never changed", _or_no(makers.never_updated)),
        Family("latest", "what an item is that changed", _or_no(makers.updated)),
        Family("original", "what an item was first", _or_no(makers.original)),
        Family("as_of", "what an item was on a day", _or_no(makers.as_of), favours_undated=True),
        Family(
            "when",
            "since which day an item is what it is",
            (Slot("day", 0.6, makers.since), Slot("before a day", 0.4, makers.since_before)),
            favours_undated=True,
        ),
        Family(
            "changed",
            "whether and how often an item changed",
            (Slot("yes or no", 0.6, makers.changed), Slot("how many", 0.4, makers.values_had)),
        ),
        Family(
            "order",
            "which of two people has had what they have longer",
            (Slot("who", 0.5, makers.earlier), Slot("yes or no", 0.5, makers.is_earlier)),
        ),
        Family(
            "relation",
            "who is what to whom",
            (
                Slot("who", 0.5, makers_people.related),
                Slot("what to whom", 0.25, makers_people.what_to),
                Slot("yes or no", 0.25, makers_people.is_related),
            ),
        ),
        Family("two_hop", "an item of somebody's mentor or of the baker", _or_no(makers.two_hops)),
        Family(
            "three_hop", "an item of the mentor of somebody's doctor", _or_no(makers.three_hops)
        ),
        Family(
            "structure",
            "who stands where in line after all moves",
            (
                Slot("next to whom", 0.4, makers_people.behind),
                Slot("which place", 0.2, makers_people.place),
                Slot("how many ahead", 0.2, makers_people.waiting_before),
                Slot("yes or no", 0.2, makers_people.is_nearer),
            ),
        ),
        Family(
            "aggregate",
            "how many have something, who has had it the longest, whether two have the same",
            (
                Slot("how many", 0.25, makers_people.count),
                Slot("who longest", 0.2, makers_people.longest),
                Slot("value of who", 0.35, makers_people.longest_value),
                Slot("same, yes or no", 0.2, makers_people.same_value),
            ),
        ),
        Family(
            "holder",
            "who has something, or the trade of who has it",
            (
                Slot("who", 0.6, makers_people.holder),
                Slot("trade", 0.4, makers_people.holder_trade),
            ),
            held_out=True,
        ),
    )
}


def settled(view: View, hindsight: View, query: Query) -> Finding | None:
    """The answer to a query if both readings of corrections give it, else None."""
    found = ANSWERS[query.kind](view, query)
    if found is None or hindsight is view:
        return found
    other = ANSWERS[query.kind](hindsight, query)
    return found if other is not None and other.answer == found.answer else None


def pick(
    family: Family, view: View, hindsight: View, rng: random.Random, most: int
) -> list[tuple[Query, Finding]]:
    """At most `most` different queries of a family, with their answers."""
    found: dict[Query, Finding] = {}
    shares = [slot.share for slot in family.slots]
    for _ in range(most):
        (slot,) = rng.choices(family.slots, shares)
        taken: tuple[Query, Finding] | None = None
        for _ in range(TRIES):
            query = slot.maker(view, rng)
            if query is None or query in found:
                continue
            finding = settled(view, hindsight, query)
            if finding is None or _repeats(query, finding, found):
                continue
            fits = not family.favours_undated or _undated(view, finding)
            if fits or taken is None:
                taken = (query, finding)
            if fits or rng.random() >= UNDATED_FIRST:
                break
        if taken is not None:
            found[taken[0]] = taken[1]
    return list(found.items())


def _undated(view: View, finding: Finding) -> bool:
    """Whether some chunk that the answer rests on does not tell its day."""
    world = view.world
    return any(world.headers[world.acts[act].chunk] == "none" for act in finding.acts)


def _repeats(query: Query, finding: Finding, found: dict[Query, Finding]) -> bool:
    """Whether a yes-or-no question of the kind has this answer already: the other one is due."""
    return finding.answer in ("yes", "no") and any(
        other.kind == query.kind and other_finding.answer == finding.answer
        for other, other_finding in found.items()
    )
