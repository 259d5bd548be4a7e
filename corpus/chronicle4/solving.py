"""Answers every question of a document from its text alone: the third part of the solver.

Days come from the metadata of the chunks. `Solution.alone` says what could be answered without:
every answer that the days allowed by the text would give.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from . import findings as f
from .findings import NOUN, Find, Found
from .ledger import Ledger, days_allowed, keep
from .problems import problem
from .reading import NAME, read
from .solver_words import ASKED, FIRST_WORDS, ORDINALS, ROLE_NOUNS, TRADES


@dataclass(frozen=True, slots=True)
class Solution:
    """All that the text says to one question."""

    as_written: Found
    in_hindsight: Found
    alone: frozenset[str]
    """Answers that the days which the text allows would give; those of the right days too."""


@dataclass(frozen=True, slots=True)
class Readings:
    """A document, read."""

    as_written: Ledger
    in_hindsight: Ledger
    others: tuple[Ledger, ...]
    """As written, on other days that the text allows."""


def readings(texts: Sequence[str], days: Sequence[int], low: int = 10, high: int = 99) -> Readings:
    """Read a document.

    Args:
        texts: of its chunks.
        days: of its chunks, by the metadata.
        low: first day there can be.
        high: last one.

    Raises:
        CorpusError: a sentence is unknown or contradicts another, or the text tells other days.
    """
    told, statements = read(texts)
    for at, (item, day) in enumerate(zip(told, days, strict=True)):
        said = days[at - 1] + item[0] if isinstance(item, tuple) else item
        if said not in (None, day) or (at and day <= days[at - 1]):
            raise problem(f"chunk {at}: the text says day {said}, the metadata {day}")
    ledger = keep(days, statements)
    allowed = days_allowed(told, low, high)
    others = tuple(ledger.on_other_days(each) for each in allowed)
    return Readings(ledger, ledger.in_hindsight(), others)


def solve(of: Readings, question: str) -> Solution:
    """Every answer that a document allows to a question, under both readings.

    Raises:
        CorpusError: the question is not understood, or in more than one way.
    """
    rows = [(find, m) for p, find in _QUESTIONS if (m := p.fullmatch(question)) is not None]
    if len(rows) != 1:
        raise problem(f"{len(rows)} readings of the question {question!r}: one is needed")
    find, match = rows[0]
    written = find(of.as_written, match)
    day = int(match.groupdict().get("day") or match.groupdict().get("day2") or 0)
    alone = set(written.answers)
    topic = ASKED.get(match.groupdict().get("noun") or "", "")
    if match.groupdict().get("had"):
        topic = f.having(match["had"])[0]
    for ledger in of.others:
        if day <= ledger.days[-1] and _in_order(ledger, topic):
            alone |= find(ledger, match).answers or {""}
    return Solution(written, find(of.in_hindsight, match), frozenset(alone))


def _in_order(ledger: Ledger, topic: str) -> bool:
    for person in ledger.people_with(topic):
        days = [ledger.day(entry) for entry in ledger.history(person, topic)]
        if sorted(set(days)) != days:
            return False
    return True


_N: Final = f"(?P<noun>{NOUN})"
_NS: Final = f"(?P<nouns>{'|'.join(f'{noun}s|{noun}es|{noun[:-1]}ies' for noun in ASKED)})"
_ROLE: Final = f"(?P<role>{'|'.join(ROLE_NOUNS)})"
_P: Final = f"(?P<person>{NAME})"
_ONE, _TWO = f"(?P<one>{NAME})", f"(?P<two>{NAME})"
_OWNER: Final = f"(?P<owner>(?:{NAME}|the (?:{TRADES}))(?:'s (?:{'|'.join(ROLE_NOUNS)}))*)"
_WH: Final = f"(?P<wh>{'|'.join(sorted(FIRST_WORDS, key=len, reverse=True))})"
_ON: Final = "(?: on day (?P<day>[0-9]+))?"
_FIRST: Final = "(?P<first>first )?"
_WHAT: Final = f"(?P<what>in {NAME}|[0-9]+|[a-z]+)"
_HAD: Final = f"(?P<had>an? {NOUN} in {NAME}|{NOUN} [0-9]+|the {NOUN} [a-z]+|an? [a-z]+ {NOUN})"
_SAME: Final = "(?:in the same town|of the same number|the same|of the same colour)"
_QUEUE: Final = "in the (?:queue|row)"
_QUESTIONS: Final[tuple[tuple[re.Pattern[str], Find], ...]] = tuple(
    (re.compile(pattern), find)
    for pattern, find in (
        (rf"{_WH} (?:is|was) {_OWNER}'s {_FIRST}{_N}{_ON}\?", f.value),
        (rf"{_WH} (?:is|was) the {_FIRST}{_N} of {_OWNER}{_ON}\?", f.value),
        (rf"(?:Is|Was) {_OWNER}'s {_FIRST}{_N} {_WHAT}{_ON}\?", f.is_value),
        (
            rf"Is it true that the {_FIRST}{_N} of {_OWNER} (?:is|was) {_WHAT}{_ON}\?",
            f.is_value,
        ),
        (rf"Since which day has {_P} had the present {_N}\?", f.since),
        (rf"On which day did {_P} come by the present {_N}\?", f.since),
        (
            rf"Has {_P} had the present {_N} since before day (?P<day2>[0-9]+)\?",
            f.since_before,
        ),
        (rf"Did {_P} come by the present {_N} before day (?P<day2>[0-9]+)\?", f.since_before),
        (rf"Has {_P}'s {_N} ever changed\?", f.changed),
        (rf"Has {_P} ever had a different {_N}\?", f.changed),
        (rf"How many (?:different )?{_NS} has {_P} had\?", f.values_had),
        (rf"Who came by the present {_N} first, {_ONE} or {_TWO}\?", f.earlier),
        (rf"Who has had the present {_N} for more time, {_ONE} or {_TWO}\?", f.earlier),
        (rf"Did {_ONE} come by the present {_N} before {_TWO} did\?", f.is_earlier),
        (rf"Has {_ONE} had the present {_N} for more time than {_TWO}\?", f.is_earlier),
        (rf"Who is {_P}'s {_ROLE}\?", f.related),
        (rf"Who is the {_ROLE} of {_P}\?", f.related),
        (rf"Is {_TWO} {_P}'s {_ROLE}\?", f.is_related),
        (rf"Is {_TWO} the {_ROLE} of {_P}\?", f.is_related),
        (rf"What is {_ONE} to {_TWO}\?", f.what_to),
        (rf"To {_TWO}, what is {_ONE}\?", f.what_to),
        (
            rf"Who (?:waits right behind|comes right after) {_P} {_QUEUE}\?",
            f.line("name", f.beside(1)),
        ),
        (
            rf"Who (?:waits right before|comes right ahead of) {_P} {_QUEUE}\?",
            f.line("name", f.beside(-1)),
        ),
        (
            rf"Which position does {_P} have {_QUEUE}\?|"
            rf"In which position of the (?:queue|row) is (?P<person2>{NAME})\?",
            f.line("closed", lambda p, m: ORDINALS[p.index(m["person"] or m["person2"])]),
        ),
        (
            rf"How many people (?:wait before|are ahead of) {_P} {_QUEUE}\?",
            f.line("number", lambda p, m: str(p.index(m["person"]))),
        ),
        (
            rf"(?:Does|Is) {_ONE} (?:come before|ahead of) {_TWO} {_QUEUE}\?",
            f.line("yes_no", lambda p, m: "yes" if p.index(m["one"]) < p.index(m["two"]) else "no"),
        ),
        (rf"(?:Whose|Who is it whose) {_N} is {_WHAT}\?", f.holder),
        (rf"What is the trade of the person whose {_N} is {_WHAT}\?", f.holder_trade),
        (rf"What does the person do for a living whose {_N} is {_WHAT}\?", f.holder_trade),
        (rf"(?:How many|What number of) people (?:have|had) {_HAD}{_ON}\?", f.count),
        (rf"Who has had the present {_N} the longest\?", f.longest),
        (rf"Whose present {_N} has been had the longest\?", f.longest),
        (
            rf"{_WH} is the {_N} of whoever has had the present one the longest\?",
            f.longest_value,
        ),
        (rf"{_WH} is the {_N} that has been had the longest\?", f.longest_value),
        (rf"Are {_ONE}'s {_N} and {_TWO}'s {_SAME}\?", f.same_value),
        (rf"Is {_ONE}'s {_N} {_SAME} as {_TWO}'s\?", f.same_value),
    )
)
