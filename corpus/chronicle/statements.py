"""Parser of chronicles: one regular expression a kind of sentence.

It shares no code with the generator, so that the two can only agree about a correct text. An
unknown sentence is an error, never skipped.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from ...common.errors import CorpusError

Mode = Literal["plain", "update", "correction", "rumour"]

ATTRIBUTES: Final = ("code", "password", "room", "seat", "motto", "tag", "place")
ROLES: Final = ("doctor", "lawyer", "mentor", "tailor", "owner")
THINGS: Final = ("bell", "boat", "cart", "clock", "drum", "lamp", "map", "ring")
FILLERS: Final = frozenset(
    {
        "A ship passed in the distance",
        "Rain fell all night",
        "Someone left a gate open",
        "The bread was late again",
        "The market was quiet",
        "The well was cleaned",
        "The wind turned to the north",
        "Two dogs slept in the square",
    }
)

NAME: Final = "[A-Z][a-z]+"
VALUE: Final = f"(?:{NAME}|[a-z]+|[0-9]+)"
GUILD: Final = f"[Tt]he {NAME} guild"
THING: Final = f"[Tt]he {NAME} (?:{'|'.join(THINGS)})"
SUBJECT: Final = f"(?:{NAME}|{GUILD}|{THING})"
ATTRIBUTE: Final = f"(?:{'|'.join(ATTRIBUTES)})"
ROLE: Final = f"(?:{'|'.join(ROLES)})"

JOINED: Final = "guild joined"
SUPERIOR: Final = "guild answered to"
ARRIVED: Final = "arrival"


@dataclass(frozen=True, slots=True)
class Statement:
    """One dated sentence: the topic of the subject has the value from this day."""

    topic: str
    """An attribute, a role, or one of `JOINED`, `SUPERIOR`, `ARRIVED`, `seated_after(place)`."""
    subject: str
    """A name, or `the NAME guild`, or `the NAME boat` and so on."""
    value: str
    """As written; the name alone for a guild, the day for an arrival."""
    mode: Mode
    """Whether it adds a value, replaces earlier ones, corrects one, or is false."""
    chunk: int
    """0-based index of the chunk it stands in."""
    day: int
    """Day that this chunk begins with."""
    instead_of: str | None = None
    """The value that a correction replaces."""


@dataclass(frozen=True, slots=True)
class StatementLog:
    """All statements of a document in text order, under one interpretation of corrections."""

    days: tuple[int, ...]
    """Day of every chunk, ascending."""
    statements: tuple[Statement, ...]
    """Everything but filler."""
    _histories: Mapping[tuple[str, str], tuple[Statement, ...]]

    @classmethod
    def of(cls, days: Sequence[int], statements: Sequence[Statement]) -> "StatementLog":
        """The log of a document with these days and these statements, in their order."""
        histories: dict[tuple[str, str], tuple[Statement, ...]] = {}
        for statement in statements:
            if statement.mode != "rumour":
                key = statement.topic, statement.subject
                histories[key] = (*histories.get(key, ()), statement)
        return cls(tuple(days), tuple(statements), histories)

    def history(self, topic: str, subject: str) -> tuple[Statement, ...]:
        """Statements on one topic of one subject, without rumours, oldest first."""
        return self._histories.get((topic, subject), ())

    def in_hindsight(self) -> "StatementLog":
        """The other interpretation of corrections: a corrected value never was in force.

        As written, a value that is corrected later was in force until then. In hindsight the
        right value takes its place from the start, and the correction itself leaves no trace.
        Rumours are left out here, too.
        """
        statements = (held for history in self._histories.values() for held in _amended(history))
        return StatementLog.of(self.days, sorted(statements, key=lambda statement: statement.chunk))


def seated_after(place: str) -> str:
    """Topic under which the next person at the table of `place` is recorded."""
    return f"seat after at {place}"


def in_force(history: Sequence[Statement], day: int) -> tuple[Statement, ...]:
    """Statements that hold on a day: more than one value among them is an ambiguity.

    An update or a correction replaces all statements of earlier days. A plain statement replaces
    nothing: on a topic that already has a value it adds a second one. The order of sentences
    within a day has no effect.
    """
    current: tuple[Statement, ...] = ()
    for today in sorted({statement.day for statement in history if statement.day <= day}):
        new = tuple(statement for statement in history if statement.day == today)
        replaces = any(statement.mode in ("update", "correction") for statement in new)
        current = new if replaces else current + new
    return current


def _amended(history: Sequence[Statement]) -> list[Statement]:
    kept: list[Statement] = []
    for statement in history:
        if statement.mode != "correction":
            kept.append(statement)
            continue
        wrong = in_force(kept, statement.day - 1)
        kept = [replace(held, value=statement.value) if held in wrong else held for held in kept]
    return kept


def parse_chunks(chunks: Sequence[str]) -> StatementLog:
    """Read the chunks of one document, each beginning with `Day N.`, as they are written.

    Raises:
        CorpusError: an unknown sentence, a chunk without a day, days out of order, a correction
            of a value that was not in force, or a rumour that is true.
    """
    days: list[int] = []
    statements: list[Statement] = []
    for index, text in enumerate(chunks):
        head = re.match(r"Day ([0-9]+)\.(?: |$)", text)
        if head is None or not text.endswith("."):
            raise CorpusError(f"chunk {index} is not 'Day N.' and sentences: {text[:60]!r}")
        days.append(int(head[1]))
        if days[-1] < max(days):
            raise CorpusError(f"chunk {index}: day {days[-1]} follows day {max(days)}")
        body = text[head.end() : -1]
        for sentence in body.split(". ") if body else ():
            statements.extend(_read_sentence(sentence, index, days[-1]))
    log = StatementLog.of(days, statements)
    _refuse_contradictions(log)
    return log


def canonical(subject: str) -> str:
    """A subject as spelt within a sentence: `The Paka boat` becomes `the Paka boat`."""
    return subject[0].lower() + subject[1:] if subject.startswith("The ") else subject


def _refuse_contradictions(log: StatementLog) -> None:
    for statement in log.statements:
        if statement.mode not in ("correction", "rumour"):
            continue
        history = log.history(statement.topic, statement.subject)
        on_that_day = {held.value for held in in_force(history, statement.day)}
        before = {held.value for held in in_force(history, statement.day - 1)}
        what = f"chunk {statement.chunk}: {statement.topic} of {statement.subject}"
        if statement.mode == "rumour" and statement.value in on_that_day:
            raise CorpusError(f"{what}: the rumour of {statement.value!r} is true")
        if statement.mode == "correction" and before != {statement.instead_of}:
            raise CorpusError(f"{what}: corrects {statement.instead_of!r}, but was {before or '?'}")


def _read_sentence(sentence: str, chunk: int, day: int) -> Iterator[Statement]:
    if sentence in FILLERS:
        return
    matches = [
        (read, match)
        for pattern, read in _FORMS
        if (match := pattern.fullmatch(sentence)) is not None
    ]
    if len(matches) != 1:
        count = "no" if not matches else "more than one"
        raise CorpusError(f"chunk {chunk}: {count} interpretation of the sentence {sentence!r}")
    read, match = matches[0]
    yield from read({k: v for k, v in match.groupdict().items() if v is not None}, chunk, day)


Fields = dict[str, str]
SentenceParser = Callable[[Fields, int, int], Iterator[Statement]]


def _setting(mode: Mode) -> SentenceParser:
    def read(fields: Fields, chunk: int, day: int) -> Iterator[Statement]:
        yield Statement(
            fields["topic"],
            canonical(fields["subject"]),
            fields["value"],
            mode,
            chunk,
            day,
            fields.get("instead"),
        )

    return read


def _fixed(topic: str) -> SentenceParser:
    def read(fields: Fields, chunk: int, day: int) -> Iterator[Statement]:
        subject, value = canonical(fields["subject"]), fields.get("value", str(day))
        yield Statement(topic, subject, value, "plain", chunk, day)

    return read


def _seating(fields: Fields, chunk: int, day: int) -> Iterator[Statement]:
    people = re.split(", | and ", fields["people"])
    topic = seated_after(fields["place"])
    for person, following in zip(people, people[1:], strict=False):
        yield Statement(topic, person, following, "plain", chunk, day)


_THE = f"[Tt]he (?P<topic>{ATTRIBUTE}) of (?P<subject>{SUBJECT})"
_IS = f"{_THE} is (?P<value>{VALUE})"
_FORMS: Final[tuple[tuple[re.Pattern[str], SentenceParser], ...]] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (f"(?:It is noted that )?{_IS}", _setting("plain")),
        (
            f"(?P<subject>{SUBJECT}) has (?P<value>{VALUE}) as (?P<topic>{ATTRIBUTE})",
            _setting("plain"),
        ),
        (f"From today {_IS}", _setting("update")),
        (f"{_THE} is now (?P<value>{VALUE})", _setting("update")),
        (
            f"(?P<subject>{SUBJECT}) changed the (?P<topic>{ATTRIBUTE}) to (?P<value>{VALUE})",
            _setting("update"),
        ),
        (f"Correction: {_IS}, not (?P<instead>{VALUE})", _setting("correction")),
        (f"A rumour says that {_IS}, which is false", _setting("rumour")),
        (f"Nobody believes that {_IS}", _setting("rumour")),
        (
            f"(?P<value>{NAME}) is the (?P<topic>{ROLE}) of (?P<subject>{SUBJECT})",
            _setting("plain"),
        ),
        (f"(?P<subject>{NAME}) has (?P<value>{NAME}) as (?P<topic>{ROLE})", _setting("plain")),
        (f"(?P<value>{NAME}) owns (?P<subject>{THING})", _fixed("owner")),
        (f"(?P<subject>{NAME}) joined the (?P<value>{NAME}) guild", _fixed(JOINED)),
        (f"The (?P<value>{NAME}) guild took in (?P<subject>{NAME})", _fixed(JOINED)),
        (f"(?P<subject>{GUILD}) answers to the (?P<value>{NAME}) guild", _fixed(SUPERIOR)),
        (f"(?P<subject>{NAME}) (?:arrived|came to town)", _fixed(ARRIVED)),
        (
            f"At the table of (?P<place>{NAME}) sit, in order, "
            f"(?P<people>{NAME}(?:, {NAME})* and {NAME})",
            _seating,
        ),
    )
)
