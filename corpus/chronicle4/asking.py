"""Queries in words: several wordings each, none with the words of the sentence that answers it.

Slots: {P}, {Ps} whom it is about; {A}, {B}, {As}, {Bs} two people; {q} the noun for the
attribute or the line, {qs} its plural, {Wh} the question word; {is} is or was; {first} empty or
`first `; {on} empty or ` on day 34`; {x} after `is`; {np} after `has`; {same} in what two values
agree; {role}; {d} a day.
"""

import random
from functools import cache
from typing import Final

from .frames import HELD_OUT_SHARE, share_out
from .lexicon import BY_KEY, ROLE_OF, ValueForm, being, having, plural
from .queries import Hop, Query
from .strings import Split

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "value": ("{Wh} {is} {Ps} {first}{q}{on}?", "{Wh} {is} the {first}{q} of {P}{on}?"),
    "is_value": (
        "{Is} {Ps} {first}{q} {x}{on}?",
        "Is it true that the {first}{q} of {P} {is} {x}{on}?",
    ),
    "since": (
        "Since which day has {P} had the present {q}?",
        "On which day did {P} come by the present {q}?",
    ),
    "since_before": (
        "Has {P} had the present {q} since before day {d}?",
        "Did {P} come by the present {q} before day {d}?",
    ),
    "changed": ("Has {Ps} {q} ever changed?", "Has {P} ever had a different {q}?"),
    "values_had": ("How many {qs} has {P} had?", "How many different {qs} has {P} had?"),
    "earlier": (
        "Who came by the present {q} first, {A} or {B}?",
        "Who has had the present {q} for more time, {A} or {B}?",
    ),
    "is_earlier": (
        "Did {A} come by the present {q} before {B} did?",
        "Has {A} had the present {q} for more time than {B}?",
    ),
    "related": ("Who is {Ps} {role}?", "Who is the {role} of {P}?"),
    "what_to": ("What is {A} to {B}?", "To {B}, what is {A}?"),
    "is_related": ("Is {B} {Ps} {role}?", "Is {B} the {role} of {P}?"),
    "behind": (
        "Who waits right behind {P} in the {q}?",
        "Who comes right after {P} in the {q}?",
    ),
    "ahead": (
        "Who waits right before {P} in the {q}?",
        "Who comes right ahead of {P} in the {q}?",
    ),
    "place": (
        "Which position does {P} have in the {q}?",
        "In which position of the {q} is {P}?",
    ),
    "waiting_before": (
        "How many people wait before {P} in the {q}?",
        "How many people are ahead of {P} in the {q}?",
    ),
    "is_nearer": ("Does {A} come before {B} in the {q}?", "Is {A} ahead of {B} in the {q}?"),
    "holder": ("Whose {q} is {x}?", "Who is it whose {q} is {x}?"),
    "holder_trade": (
        "What is the trade of the person whose {q} is {x}?",
        "What does the person do for a living whose {q} is {x}?",
    ),
    "count": ("How many people {have} {np}{on}?", "What number of people {have} {np}{on}?"),
    "longest": (
        "Who has had the present {q} the longest?",
        "Whose present {q} has been had the longest?",
    ),
    "longest_value": (
        "{Wh} is the {q} of whoever has had the present one the longest?",
        "{Wh} is the {q} that has been had the longest?",
    ),
    "same_value": ("Are {As} {q} and {Bs} {same}?", "Is {As} {q} {same} as {Bs}?"),
}
LINE_NOUNS: Final = ("queue", "row")
OF_LINE: Final = ("behind", "ahead", "place", "waiting_before", "is_nearer")
"""Kinds that are about people in line."""
QUESTION_WORDS: Final[dict[ValueForm, tuple[str, str]]] = {
    "name": ("Where", "In which town"),
    "number": ("What number", "Which number"),
    "word": ("What", "Which word"),
    "closed": ("What colour", "Which colour"),
}
SAME: Final[dict[ValueForm, str]] = {
    "name": "in the same town",
    "number": "of the same number",
    "word": "the same",
    "closed": "of the same colour",
}


@cache
def _cell(kind: str, key: str) -> dict[str, Split]:
    nouns = BY_KEY[key].asked if key in BY_KEY else LINE_NOUNS if kind in OF_LINE else ("",)
    words = (0, 1) if kind in ("value", "longest_value") else (0,)
    frames = range(len(WORDS[kind]))
    ids = {
        (at, noun): [f"ask-{kind}/{at}/{key}/{noun}/{word}" for word in words]
        for at in frames
        for noun in nouns
    }
    # What has but one cell must meet each of its words there in training.
    alone = () if key else (*frames, *nouns)
    parts = [[w for cell, some in ids.items() if part in cell for w in some] for part in alone]
    return share_out([wording for some in ids.values() for wording in some], *parts)


@cache
def wordings(kind: str, key: str, split: Split) -> tuple[str, ...]:
    """Ids of a split's own wordings of one kind of question about one attribute or role."""
    return tuple(wording for wording, owner in _cell(kind, key).items() if owner == split)


def owner(wording: str) -> Split:
    """Split that a question's wording belongs to; those of train are used in every split."""
    kind, _, key, _, _ = wording.split("/")
    return _cell(kind.removeprefix("ask-"), key)[wording]


def ask(query: Query, rng: random.Random, split: Split) -> tuple[str, str]:
    """A query in words and the id of the wording; held-out wordings are those of `split`."""
    key = query.attribute or (query.hops[0][1] if query.hops else "")
    own: tuple[str, ...] = ()
    if split != "train" and rng.random() < HELD_OUT_SHARE:
        own = wordings(query.kind, key, split)
    wording = rng.choice(own or wordings(query.kind, key, "train"))
    _, at, _, noun, word = wording.split("/")
    text = WORDS[query.kind][int(at)].format_map(_slots(query, noun, int(word)))
    return text, wording


def owner_words(person: str, hops: tuple[Hop, ...]) -> str:
    """Whom a query is about: `Karo`, `Karo's mentor`, `the baker`."""
    for how, what in hops:
        if how == "trade":
            person = f"the {what}"
        else:
            role = ROLE_OF[what]
            person = f"{person}'s {role.agent if how == 'agent' else role.patient}"
    return person


def _slots(query: Query, noun: str, word: int) -> dict[str, str]:
    past = query.first or query.day is not None
    related = query.kind in ("related", "is_related")
    owner = owner_words(query.person, () if related else query.hops)
    slots = {
        "P": owner,
        "Ps": f"{owner}'s",
        "A": query.person,
        "As": f"{query.person}'s",
        "B": query.other,
        "Bs": f"{query.other}'s",
        "is": "was" if past else "is",
        "Is": "Was" if past else "Is",
        "have": "had" if past else "have",
        "first": "first " if query.first else "",
        "on": "" if query.day is None else f" on day {query.day}",
        "d": str(query.day),
    }
    if related:
        role = ROLE_OF[query.hops[0][1]]
        slots["role"] = role.agent if query.hops[0][0] == "agent" else role.patient
    if query.kind in OF_LINE:
        slots["q"] = noun
    if query.attribute:
        form = BY_KEY[query.attribute].form
        wh = QUESTION_WORDS[form][word]
        slots |= {"q": noun, "qs": plural(noun), "Wh": wh}
        slots["same"] = SAME[form]
        slots |= {"x": being(form, query.value), "np": having(form, noun, query.value)}
    return slots
