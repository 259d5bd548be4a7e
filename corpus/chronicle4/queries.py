"""Questions before they are worded: what is asked, and how a view of the world answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .lexicon import BY_KEY, PLACES_IN_LINE, ROLE_OF, Form
from .view import View
from .world import Setting

Hop = tuple[str, str]
"""(`agent`, role): who has the role for the person. (`patient`, role): whom the person has it for.
(`trade`, trade): who has the trade, whoever the person is."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question; which fields count depends on its kind."""

    kind: str
    person: str = ""
    hops: tuple[Hop, ...] = ()
    """From the person to whom the question is about."""
    attribute: str = ""
    other: str = ""
    value: str = ""
    """What a yes-or-no question proposes, or what is looked for."""
    day: int | None = None
    """The day asked about; None for the end."""
    first: bool = False
    """Whether the first value is asked for."""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer and what it rests on."""

    answer: str
    acts: tuple[int, ...]
    """Acts that settle it."""
    stale: tuple[str, ...] = ()
    """Answers that were right once and were replaced by the time asked about: values and days the
    oldest first, people in the order of the alphabet."""


def person_of(view: View, query: Query) -> tuple[str, tuple[int, ...]] | None:
    """Whom the hops lead to, and the acts that say so; None if nobody."""
    person, acts = query.person, tuple[int, ...]()
    for how, what in query.hops:
        found = _hop(view, person, how, what)
        if found is None:
            return None
        person, acts = found[0], (*acts, found[1])
    return person, acts


def _hop(view: View, person: str, how: str, what: str) -> tuple[str, int] | None:
    if how == "trade":
        for one in view.world.people:
            trade = view.trade(one)
            if trade is not None and trade[0] == what:
                return one, trade[1]
        return None
    for tie in view.ties:
        if tie.role == what and how == "agent" and tie.patient == person:
            return tie.agent, tie.act
        if tie.role == what and how == "patient" and tie.agent == person:
            return tie.patient, tie.act
    return None


def _yes(right: bool) -> str:
    return "yes" if right else "no"


def _distinct(values: list[str], without: str) -> tuple[str, ...]:
    return tuple(value for value in dict.fromkeys(values) if value != without)


def _value(view: View, query: Query) -> Finding | None:
    who = person_of(view, query)
    if who is None or (query.day is not None and query.day > view.last_day):
        return None
    item = (who[0], query.attribute)
    history = view.history(item) if query.day is None else view.on_day(item, query.day)
    if not history:
        return None
    at = history[0] if query.first else history[-1]
    past = [] if query.first else [setting.value for setting in history]
    return Finding(at.value, (*who[1], *at.sources()), _distinct(past, at.value))


def _is_value(view: View, query: Query) -> Finding | None:
    found = _value(view, query)
    return found and Finding(_yes(found.answer == query.value), found.acts)


def _since(view: View, query: Query) -> Finding | None:
    history = view.history((query.person, query.attribute))
    if not history:
        return None
    days = [str(view.day(setting)) for setting in history]
    return Finding(days[-1], (history[-1].act,), _distinct(days, days[-1]))


def _since_before(view: View, query: Query) -> Finding | None:
    found = _since(view, query)
    if found is None or query.day is None:
        return None
    return Finding(_yes(int(found.answer) < query.day), found.acts)


def _changed(view: View, query: Query) -> Finding | None:
    history = view.history((query.person, query.attribute))
    if not history:
        return None
    return Finding(_yes(len(history) > 1), tuple(setting.act for setting in history))


def _values_had(view: View, query: Query) -> Finding | None:
    history = view.history((query.person, query.attribute))
    values = {setting.value for setting in history}
    # Somebody who got something back may be said to have had it once or twice.
    if not history or len(values) < len(history):
        return None
    return Finding(str(len(history)), tuple(setting.act for setting in history))


def _pair(view: View, query: Query) -> tuple[Setting, Setting] | None:
    one = view.history((query.person, query.attribute))
    other = view.history((query.other, query.attribute))
    return (one[-1], other[-1]) if one and other else None


def _earlier(view: View, query: Query) -> Finding | None:
    pair = _pair(view, query)
    if pair is None or view.day(pair[0]) == view.day(pair[1]):
        return None
    first = view.day(pair[0]) < view.day(pair[1])
    return Finding(query.person if first else query.other, tuple(sorted(s.act for s in pair)))


def _is_earlier(view: View, query: Query) -> Finding | None:
    found = _earlier(view, query)
    return found and Finding(_yes(found.answer == query.person), found.acts)


def _related(view: View, query: Query) -> Finding | None:
    found = person_of(view, query)
    return found and Finding(found[0], found[1])


def _what_to(view: View, query: Query) -> Finding | None:
    for tie in view.ties:
        if (tie.agent, tie.patient) == (query.person, query.other):
            return Finding(ROLE_OF[tie.role].agent, (tie.act,))
        if (tie.patient, tie.agent) == (query.person, query.other):
            return Finding(ROLE_OF[tie.role].patient, (tie.act,))
    return None


def _is_related(view: View, query: Query) -> Finding | None:
    found = person_of(view, query)
    return found and Finding(_yes(found[0] == query.other), found[1])


def _line(view: View, answer: Callable[[tuple[str, ...]], str | None]) -> Finding | None:
    if not view.lines:
        return None
    answers = [answer(people) for _, people, _ in view.lines]
    if answers[-1] is None:
        return None
    past = [each for each in answers if each is not None]
    return Finding(answers[-1], view.lines[-1][2], _distinct(past, answers[-1]))


def _behind(view: View, query: Query) -> Finding | None:
    return _line(view, lambda people: _beside(people, query.person, 1))


def _ahead(view: View, query: Query) -> Finding | None:
    return _line(view, lambda people: _beside(people, query.person, -1))


def _beside(people: tuple[str, ...], person: str, step: int) -> str | None:
    if person not in people:
        return None
    at = people.index(person) + step
    return people[at] if 0 <= at < len(people) else None


def _place(view: View, query: Query) -> Finding | None:
    return _line(view, lambda people: PLACES_IN_LINE[people.index(query.person)])


def _waiting_before(view: View, query: Query) -> Finding | None:
    return _line(view, lambda people: str(people.index(query.person)))


def _is_nearer(view: View, query: Query) -> Finding | None:
    found = _line(view, lambda p: _yes(p.index(query.person) < p.index(query.other)))
    return found and Finding(found.answer, found.acts)


def _holder(view: View, query: Query) -> Finding | None:
    holders = view.holders(query.attribute)
    now = [person for person, history in holders.items() if history[-1].value == query.value]
    if len(now) != 1:
        return None
    past = [p for p, history in holders.items() if any(s.value == query.value for s in history)]
    return Finding(now[0], holders[now[0]][-1].sources(), _distinct(sorted(past), now[0]))


def _holder_trade(view: View, query: Query) -> Finding | None:
    found = _holder(view, query)
    trade = view.trade(found.answer) if found else None
    if found is None or trade is None:
        return None
    return Finding(trade[0], tuple(sorted({*found.acts, trade[1]})))


def _count(view: View, query: Query) -> Finding | None:
    day = view.last_day if query.day is None else query.day
    if day > view.last_day:
        return None
    acts: list[int] = []
    count = 0
    for person in view.holders(query.attribute):
        history = view.on_day((person, query.attribute), day)
        if history and history[-1].value == query.value:
            count += 1
            acts += history[-1].sources()
    return Finding(str(count), tuple(sorted(set(acts)))) if count else None


def _longest(view: View, query: Query) -> Finding | None:
    since = {p: h[-1] for p, h in view.holders(query.attribute).items()}
    ranked = sorted(since, key=lambda person: view.day(since[person]))
    if not ranked or [view.day(since[p]) for p in ranked[:2]].count(view.day(since[ranked[0]])) > 1:
        return None
    return Finding(ranked[0], tuple(sorted(setting.act for setting in since.values())))


def _longest_value(view: View, query: Query) -> Finding | None:
    found = _longest(view, query)
    if found is None:
        return None
    last = view.history((found.answer, query.attribute))[-1]
    return Finding(last.value, tuple(sorted({*found.acts, *last.sources()})))


def _same_value(view: View, query: Query) -> Finding | None:
    pair = _pair(view, query)
    if pair is None:
        return None
    acts = {act for setting in pair for act in setting.sources()}
    return Finding(_yes(pair[0].value == pair[1].value), tuple(sorted(acts)))


Answer = Callable[[View, Query], Finding | None]
ANSWERS: Final[dict[str, Answer]] = {
    "value": _value,
    "is_value": _is_value,
    "since": _since,
    "since_before": _since_before,
    "changed": _changed,
    "values_had": _values_had,
    "earlier": _earlier,
    "is_earlier": _is_earlier,
    "related": _related,
    "what_to": _what_to,
    "is_related": _is_related,
    "behind": _behind,
    "ahead": _ahead,
    "place": _place,
    "waiting_before": _waiting_before,
    "is_nearer": _is_nearer,
    "holder": _holder,
    "holder_trade": _holder_trade,
    "count": _count,
    "longest": _longest,
    "longest_value": _longest_value,
    "same_value": _same_value,
}
"""By kind: the answer that a view gives, or None where it gives none or more than one."""
_FORMS: Final[dict[str, Form]] = {
    **dict.fromkeys(("earlier", "related", "behind", "ahead", "holder", "longest"), "name"),
    **dict.fromkeys(("since", "values_had", "waiting_before", "count"), "number"),
    **dict.fromkeys(("what_to", "place", "holder_trade"), "closed"),
}


def form_of(query: Query) -> Form:
    """Form of a query's answer."""
    if query.kind in ("value", "longest_value"):
        return BY_KEY[query.attribute].form
    return _FORMS.get(query.kind, "yes_no")
