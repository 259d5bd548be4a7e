"""How the solver answers each kind of question from a ledger: tables of words, and functions."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from .ledger import Entry, Ledger
from .problems import problem
from .reading import COLOUR, NAME, Place
from .solver_words import ASKED, FIRST_WORDS, FORM_OF, ROLE_NOUNS


@dataclass(frozen=True, slots=True)
class Found:
    """What one reading gives to one question."""

    family: str
    form: str
    answers: frozenset[str]
    """Every answer it allows; empty if it does not tell."""
    places: frozenset[Place] = frozenset()
    """Sentences that settle it."""
    stale: tuple[str, ...] = ()


Find = Callable[[Ledger, re.Match[str]], Found]
NOUN: Final = f"(?:{'|'.join(sorted(ASKED, key=len, reverse=True))})"


def _follow(ledger: Ledger, words: str) -> list[tuple[str, tuple[Place, ...]]]:
    """People whom some words can mean, each with the sentences that say so."""
    first, *roles = words.split("'s ")
    found: list[tuple[str, tuple[Place, ...]]] = [(first, ())]
    if first.startswith("the "):
        found = [(p, said) for p, (trade, said) in ledger.trades.items() if trade == first[4:]]
    for noun in roles:
        role, side = ROLE_NOUNS[noun]
        found = [
            (agent if side == "agent" else patient, (*places, *said))
            for person, places in found
            for kind, agent, patient, said in ledger.ties
            if kind == role and person == (patient if side == "agent" else agent)
        ]
    return found


def _distinct(values: Sequence[str], without: frozenset[str]) -> tuple[str, ...]:
    return tuple(value for value in dict.fromkeys(values) if value not in without)


def _yes(right: bool) -> frozenset[str]:
    return frozenset({"yes" if right else "no"})


def value(ledger: Ledger, match: re.Match[str]) -> Found:
    parts = match.groupdict()
    topic = ASKED[parts["noun"]]
    wh = parts["wh"]
    if FIRST_WORDS[wh[0].upper() + wh[1:]] != FORM_OF[topic]:
        return Found("", "", frozenset())
    owner = parts["owner"].removesuffix("'s")
    day = int(parts["day"]) if parts.get("day") else None
    answers: list[str] = []
    places: list[Place] = []
    stale: list[str] = []
    family = _family(owner, bool(parts.get("first")), day)
    for person, known in _follow(ledger, owner):
        history = ledger.history(person, topic)
        if day is not None:
            history = [e for e in history if ledger.day(e) <= day <= ledger.days[-1]]
        if history:
            entry = history[0] if parts.get("first") else history[-1]
            answers.append(entry.value)
            places += [*known, *entry.known]
            stale += [] if parts.get("first") else [e.value for e in history]
            family = family or ("fact" if len(history) == 1 else "latest")
    found = frozenset(answers)
    return Found(family, FORM_OF[topic], found, frozenset(places), _distinct(stale, found))


def _family(owner: str, first: bool, day: int | None) -> str:
    if first:
        return "original"
    if day is not None:
        return "as_of"
    hops = owner.count("'s ") + owner.startswith("the ")
    return ("", "two_hop", "three_hop")[hops]


def is_value(ledger: Ledger, match: re.Match[str]) -> Found:
    form = FORM_OF[ASKED[match["noun"]]]
    words = {"name": "Where", "number": "What number", "word": "What", "closed": "What colour"}
    shown = match["what"]
    if shown.startswith("in ") != (form == "name"):
        return Found("", "", frozenset())
    found = value(ledger, _Given(match.groupdict() | {"wh": words[form]}))  # type: ignore[arg-type]
    if not found.answers:
        return Found(found.family, "yes_no", frozenset())
    answers = frozenset("yes" if a == shown.removeprefix("in ") else "no" for a in found.answers)
    return replace(found, form="yes_no", answers=answers, stale=())


class _Given:
    """Parts of a question, as a match has them."""

    def __init__(self, parts: Mapping[str, str | None]) -> None:
        self._parts = parts

    def groupdict(self) -> Mapping[str, str | None]:
        return self._parts

    def __getitem__(self, name: str) -> str | None:
        return self._parts[name]


def _last(ledger: Ledger, person: str, noun: str) -> Entry | None:
    history = ledger.history(person, ASKED[noun])
    return history[-1] if history else None


def since(ledger: Ledger, match: re.Match[str]) -> Found:
    history = ledger.history(match["person"], ASKED[match["noun"]])
    days = [str(ledger.day(entry)) for entry in history]
    answers = frozenset(days[-1:])
    places = frozenset(history[-1].said) if history else frozenset[Place]()
    return Found("when", "number", answers, places, _distinct(days, answers))


def since_before(ledger: Ledger, match: re.Match[str]) -> Found:
    found = since(ledger, match)
    answers = frozenset("yes" if int(a) < int(match["day2"]) else "no" for a in found.answers)
    return replace(found, form="yes_no", answers=answers, stale=())


def changed(ledger: Ledger, match: re.Match[str]) -> Found:
    history = ledger.history(match["person"], ASKED[match["noun"]])
    places = frozenset(place for entry in history for place in entry.said)
    return Found("changed", "yes_no", _yes(len(history) > 1) if history else frozenset(), places)


def values_had(ledger: Ledger, match: re.Match[str]) -> Found:
    history = ledger.history(match["person"], _singular(match["nouns"]))
    places = frozenset(place for entry in history for place in entry.said)
    counts = {str(len(history)), str(len({entry.value for entry in history}))} - {"0"}
    return Found("changed", "number", frozenset(counts), places)


def _singular(nouns: str) -> str:
    for noun in (
        nouns.removesuffix("s"),
        nouns.removesuffix("es"),
        nouns.removesuffix("ies") + "y",
    ):
        if noun in ASKED:
            return ASKED[noun]
    raise problem(f"{nouns!r} are nothing that one has")


def earlier(ledger: Ledger, match: re.Match[str]) -> Found:
    pair = [_last(ledger, match[name], match["noun"]) for name in ("one", "two")]
    if pair[0] is None or pair[1] is None:
        return Found("order", "name", frozenset())
    days = [ledger.day(pair[0]), ledger.day(pair[1])]
    answers = {match["one"]} if days[0] <= days[1] else set()
    answers |= {match["two"]} if days[1] <= days[0] else set()
    return Found("order", "name", frozenset(answers), frozenset((*pair[0].said, *pair[1].said)))


def is_earlier(ledger: Ledger, match: re.Match[str]) -> Found:
    found = earlier(ledger, match)
    answers = frozenset("yes" if a == match["one"] else "no" for a in found.answers)
    return replace(found, form="yes_no", answers=answers)


def related(ledger: Ledger, match: re.Match[str]) -> Found:
    people = _follow(ledger, f"{match['person']}'s {match['role']}")
    places = frozenset(place for _, said in people for place in said)
    return Found("relation", "name", frozenset(person for person, _ in people), places)


def is_related(ledger: Ledger, match: re.Match[str]) -> Found:
    found = related(ledger, match)
    answers = frozenset("yes" if a == match["two"] else "no" for a in found.answers)
    return replace(found, form="yes_no", answers=answers)


def what_to(ledger: Ledger, match: re.Match[str]) -> Found:
    answers: list[str] = []
    places: list[Place] = []
    for noun, (role, side) in ROLE_NOUNS.items():
        for kind, agent, patient, said in ledger.ties:
            pair = (agent, patient) if side == "agent" else (patient, agent)
            if kind == role and pair == (match["one"], match["two"]):
                answers.append(noun)
                places += said
    return Found("relation", "closed", frozenset(answers), frozenset(places))


def line(form: str, answer: Callable[[tuple[str, ...], re.Match[str]], str | None]) -> Find:
    def find(ledger: Ledger, match: re.Match[str]) -> Found:
        if not ledger.lines:
            return Found("structure", form, frozenset())
        said = [answer(people, match) for people, _ in ledger.lines]
        now = frozenset(each for each in said[-1:] if each is not None)
        past = _distinct([each for each in said if each is not None], now)
        places = frozenset(ledger.lines[-1][1])
        return Found("structure", form, now, places, () if form == "yes_no" else past)

    return find


def beside(step: int) -> Callable[[tuple[str, ...], re.Match[str]], str | None]:
    def answer(people: tuple[str, ...], match: re.Match[str]) -> str | None:
        at = people.index(match["person"]) + step if match["person"] in people else -1
        return people[at] if 0 <= at < len(people) else None

    return answer


def holder(ledger: Ledger, match: re.Match[str]) -> Found:
    topic, value = ASKED[match["noun"]], match["what"].removeprefix("in ")
    now: list[str] = []
    past: list[str] = []
    places: list[Place] = []
    for person in ledger.people_with(topic):
        history = ledger.history(person, topic)
        if history[-1].value == value:
            now.append(person)
            places += history[-1].known
        past += [person] if any(entry.value == value for entry in history) else []
    answers = frozenset(now)
    return Found("holder", "name", answers, frozenset(places), _distinct(sorted(past), answers))


def holder_trade(ledger: Ledger, match: re.Match[str]) -> Found:
    found = holder(ledger, match)
    known = [ledger.trades[person] for person in found.answers if person in ledger.trades]
    places = found.places | {place for _, said in known for place in said}
    # Somebody whose trade is not told may have any.
    unknown = {"?"} if len(known) < len(found.answers) else set[str]()
    answers = frozenset(trade for trade, _ in known) | unknown
    return Found("holder", "closed", answers, places)


def count(ledger: Ledger, match: re.Match[str]) -> Found:
    topic, value = having(match["had"])
    day = int(match["day"]) if match["day"] else ledger.days[-1]
    count, places = 0, list[Place]()
    for person in ledger.people_with(topic):
        history = [e for e in ledger.history(person, topic) if ledger.day(e) <= day]
        if history and history[-1].value == value and day <= ledger.days[-1]:
            count += 1
            places += history[-1].known
    return Found("aggregate", "number", frozenset({str(count)}), frozenset(places))


def having(words: str) -> tuple[str, str]:
    for pattern in (
        rf"an? (?P<noun>{NOUN}) in (?P<value>{NAME})",
        rf"(?P<noun>{NOUN}) (?P<value>[0-9]+)",
        rf"the (?P<noun>{NOUN}) (?P<value>[a-z]+)",
        rf"an? (?P<value>{COLOUR}) (?P<noun>{NOUN})",
    ):
        match = re.fullmatch(pattern, words)
        if match:
            return ASKED[match["noun"]], match["value"]
    raise problem(f"{words!r} is nothing that one has")


def _oldest(ledger: Ledger, noun: str) -> tuple[list[tuple[str, Entry]], frozenset[Place]]:
    topic = ASKED[noun]
    last = [(person, ledger.history(person, topic)[-1]) for person in ledger.people_with(topic)]
    earliest = min((ledger.day(entry) for _, entry in last), default=0)
    places = frozenset(place for _, entry in last for place in entry.said)
    return [each for each in last if ledger.day(each[1]) == earliest], places


def longest(ledger: Ledger, match: re.Match[str]) -> Found:
    oldest, places = _oldest(ledger, match["noun"])
    return Found("aggregate", "name", frozenset(person for person, _ in oldest), places)


def longest_value(ledger: Ledger, match: re.Match[str]) -> Found:
    form = FORM_OF[ASKED[match["noun"]]]
    if FIRST_WORDS[match["wh"]] != form:
        return Found("", "", frozenset())
    oldest, places = _oldest(ledger, match["noun"])
    # Two who have had it equally long make the question one of two people, whatever they have.
    answers = frozenset(e.value for _, e in oldest) if len(oldest) == 1 else frozenset({"", "?"})
    known = frozenset(place for _, entry in oldest for place in entry.known)
    return Found("aggregate", form, answers, places | known)


def same_value(ledger: Ledger, match: re.Match[str]) -> Found:
    pair = [_last(ledger, match[name], match["noun"]) for name in ("one", "two")]
    if pair[0] is None or pair[1] is None:
        return Found("aggregate", "yes_no", frozenset())
    places = frozenset((*pair[0].known, *pair[1].known))
    return Found("aggregate", "yes_no", _yes(pair[0].value == pair[1].value), places)
