"""Independent solver: all answers that the text of a chronicle allows.

It knows the rendered text and the question's wording, nothing else, and it returns all the
answers that are consistent with the text, once for each of the two ways to read a correction:
as written, a corrected value was in force until the correction; in hindsight, it never was. A
generated question is proved right when either set holds its answer and no other. How updates
count: see `statements.in_force`; how corrections do: see `statements.StatementLog.in_hindsight`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ...common.buckets import Bucket
from ...common.errors import CorpusError
from .statements import (
    ARRIVED,
    ATTRIBUTE,
    GUILD,
    JOINED,
    NAME,
    ROLE,
    SUBJECT,
    SUPERIOR,
    Statement,
    StatementLog,
    in_force,
    parse_chunks,
    seated_after,
)


@dataclass(frozen=True, slots=True)
class Solution:
    """Answers to one question, derived from the text alone."""

    family: str
    """Family that the question's wording belongs to."""
    answers: frozenset[str]
    """Every answer consistent with the text as written; empty if it settles none."""
    answers_in_hindsight: frozenset[str]
    """The same for a reader to whom a corrected value never was in force."""
    stale_answers: tuple[str, ...]
    """Values replaced before the time of the question, oldest first, as written."""
    evidence: tuple[int, ...]
    """Chunks that settle the answer as written, ascending."""
    bucket: Bucket | None
    """Third of the document in which the last of them lies; None without evidence."""


@dataclass(frozen=True, slots=True)
class Interpretations:
    """A document under both interpretations of a correction."""

    as_written: StatementLog
    """A corrected value was in force until it was corrected."""
    in_hindsight: StatementLog
    """A corrected value never was in force."""


@dataclass(frozen=True, slots=True)
class _Settled:
    answers: frozenset[str]
    settled_by: tuple[Statement, ...]
    stale: tuple[str, ...] = ()


def solve(chunks: Sequence[str], question: str) -> Solution:
    """All the answers to a question that the text of a document allows.

    Args:
        chunks: text of each chunk, beginning with `Day N.`, in time order.
        question: the question as it is put to the model.

    Raises:
        CorpusError: a sentence or the question is not understood, or the text contradicts itself.
    """
    return solve_interpreted(interpret(chunks), question)


def interpret(chunks: Sequence[str]) -> Interpretations:
    """Parse a document once, for any number of questions.

    Raises:
        CorpusError: a sentence is not understood, or the text contradicts itself.
    """
    log = parse_chunks(chunks)
    return Interpretations(as_written=log, in_hindsight=log.in_hindsight())


def solve_interpreted(interpretations: Interpretations, question: str) -> Solution:
    """`solve` for a document that was read before.

    Raises:
        CorpusError: the question is not understood.
    """
    matches = [
        (family, find, match)
        for family, pattern, find in _QUESTIONS
        if (match := pattern.fullmatch(question)) is not None
    ]
    if len(matches) != 1:
        raise CorpusError(
            f"{len(matches)} interpretations of the question {question!r}: one is needed"
        )
    family, find, match = matches[0]
    written = find(interpretations.as_written, match)
    hindsight = find(interpretations.in_hindsight, match)
    evidence = tuple(sorted({statement.chunk for statement in written.settled_by}))
    bucket = _third(evidence[-1], len(interpretations.as_written.days)) if evidence else None
    return Solution(family, written.answers, hindsight.answers, written.stale, evidence, bucket)


def _third(chunk: int, chunks: int) -> Bucket:
    if chunk < chunks / 3:
        return "early"
    return "middle" if chunk < 2 * chunks / 3 else "late"


def _values(statements: Sequence[Statement]) -> frozenset[str]:
    return frozenset(statement.value for statement in statements)


def _distinct(words: Sequence[str], without: frozenset[str]) -> tuple[str, ...]:
    return tuple(word for word in dict.fromkeys(words) if word not in without)


def _on_day(history: Sequence[Statement], day: int) -> _Settled:
    held = in_force(history, day)
    answers = _values(held)
    past = [statement.value for statement in history if statement.day <= day]
    return _Settled(answers, held, _distinct(past, answers))


def _latest(log: StatementLog, match: re.Match[str]) -> _Settled:
    return _on_day(log.history(match["topic"], match["subject"]), log.days[-1])


def _as_of(log: StatementLog, match: re.Match[str]) -> _Settled:
    return _on_day(log.history(match["topic"], match["subject"]), int(match["day"]))


def _original(log: StatementLog, match: re.Match[str]) -> _Settled:
    history = log.history(match["topic"], match["subject"])
    first = in_force(history, history[0].day) if history else ()
    # A history that opens with an update had a value before, which the text does not contain.
    known = first if all(statement.mode == "plain" for statement in first) else ()
    return _Settled(_values(known), known)


def _changed(log: StatementLog, match: re.Match[str]) -> _Settled:
    history = log.history(match["topic"], match["subject"])
    if not history:
        return _Settled(frozenset(), ())
    replaced = any(statement.mode != "plain" for statement in history)
    several = len(_values(history)) > 1
    # A second value without a word of change, or a change to the same value, can be read both ways.
    answers = {"yes" if replaced else "no", "yes" if several else "no"}
    return _Settled(frozenset(answers), history)


def _when(log: StatementLog, match: re.Match[str]) -> _Settled:
    history = log.history(match["topic"], match["subject"])
    days = [str(statement.day) for statement in history]
    answers = frozenset(days[-1:])
    last = tuple(statement for statement in history if statement.day == history[-1].day)
    return _Settled(answers, last, _distinct(days, answers))


def _two_hop(log: StatementLog, match: re.Match[str]) -> _Settled:
    links = log.history(match["role"], match["subject"])
    seconds = [_on_day(log.history(match["topic"], link.value), log.days[-1]) for link in links]
    return _Settled(
        frozenset().union(*(second.answers for second in seconds)),
        links + tuple(statement for second in seconds for statement in second.settled_by),
        tuple(stale for second in seconds for stale in second.stale),
    )


def _fixed(topic: str) -> Callable[[StatementLog, re.Match[str]], _Settled]:
    def find(log: StatementLog, match: re.Match[str]) -> _Settled:
        history = log.history(topic, match["subject"])
        return _Settled(_values(history), history)

    return find


def _neighbour(log: StatementLog, match: re.Match[str]) -> _Settled:
    history = log.history(seated_after(match["place"]), match["subject"])
    return _Settled(_values(history), history)


def _order(log: StatementLog, match: re.Match[str]) -> _Settled:
    arrivals = log.history(ARRIVED, match["one"]), log.history(ARRIVED, match["other"])
    one, other = ({statement.day for statement in arrival} for arrival in arrivals)
    firsts = set()
    # For a person who arrived twice, either arrival may count.
    firsts |= {match["one"]} if any(a <= b for a in one for b in other) else set()
    firsts |= {match["other"]} if any(b <= a for a in one for b in other) else set()
    return _Settled(frozenset(firsts), arrivals[0] + arrivals[1])


_OF = f"(?P<topic>{ATTRIBUTE}) of (?P<subject>{SUBJECT})"
_QUESTIONS: Final = tuple(
    (family, re.compile(pattern), find)
    for family, pattern, find in (
        ("fact", rf"What is the {_OF}\?", _latest),
        ("relation", rf"Who is the (?P<topic>{ROLE}) of (?P<subject>{SUBJECT})\?", _latest),
        (
            "two_hop",
            rf"What is the (?P<topic>{ATTRIBUTE}) of the (?P<role>{ROLE})"
            rf" of (?P<subject>{SUBJECT})\?",
            _two_hop,
        ),
        ("structure", rf"Which guild did (?P<subject>{NAME}) join\?", _fixed(JOINED)),
        ("structure", rf"Which guild does (?P<subject>{GUILD}) answer to\?", _fixed(SUPERIOR)),
        (
            "structure",
            rf"Who sits right after (?P<subject>{NAME}) at the table of (?P<place>{NAME})\?",
            _neighbour,
        ),
        ("latest", rf"What is the latest {_OF}\?", _latest),
        ("original", rf"What was the first {_OF}\?", _original),
        ("as_of", rf"What was the {_OF} on day (?P<day>[0-9]+)\?", _as_of),
        ("changed", rf"Did the {_OF} ever change\?", _changed),
        ("when", rf"On which day was the {_OF} last set\?", _when),
        ("order", rf"Who arrived first, (?P<one>{NAME}) or (?P<other>{NAME})\?", _order),
    )
)
