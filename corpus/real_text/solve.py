"""Independent reader of entries: answers every question from the rendered text alone.

It shares no code with what makes documents and questions (`ask`, the adapters): other patterns,
another reading of dates, questions understood by their words. What it cannot read it refuses.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.utils import parsedate
from typing import Final

from ..records import Document

_HEADINGS: Final[dict[str, re.Pattern[str]]] = {
    "debian-changelog": re.compile(r"^\S+ \((?P<label>\S+)\) [^;]+; ?urgency=(?P<urgency>\w+)"),
    "tz-news": re.compile(r"^Release (?P<label>\S+) - (?P<date>[\d-]{10}) "),
    "git-notes": re.compile(r"^G(?:it|IT) .*?(?P<label>[\d.]*\d)(?:\.txt)? Release Notes$"),
}
_SIGNED: Final = re.compile(r"^-- (?P<author>.+?) ?<[^>]*> (?P<date>.+)$")
_BUG: Final = re.compile(r"(?i)(?:#|\bbugs? *:? *#?|\bcloses? *[:=]? *#?)(\d{3,7})(?!\w)")
_WRITTEN: Final = ("%Y-%m-%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y")
_FIRST: Final = date(1900, 1, 1)


@dataclass(slots=True)
class Section:
    """An entry as the text shows it."""

    label: str
    urgency: str
    heading: int
    """Chunk of the heading."""
    author: str = ""
    day: date | None = None
    signed: int = -1
    """Chunk of the date."""
    lines: list[tuple[int, str]] = field(default_factory=list)
    """(chunk, line), the heading first."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What the text answers."""

    family: str
    answers: frozenset[str]
    """Every answer that the text allows; one, if the question is sound."""
    stale: frozenset[str] = frozenset()
    evidence: tuple[int, ...] = ()


def sections(document: Document, source: str) -> list[Section]:
    """Entries of a document of a format, in the order of the text; none without headings."""
    read = list[Section]()
    pattern = _HEADINGS.get(source)
    if pattern is None:
        return read
    for chunk in document.chunks:
        for line in chunk.text.split("\n"):
            heading = pattern.match(line)
            if heading is not None:
                named = heading.groupdict()
                read.append(Section(named["label"], named.get("urgency", "").lower(), chunk.index))
                if "date" in named:
                    read[-1].day, read[-1].signed = written(named["date"]), chunk.index
            if not read:
                continue
            read[-1].lines.append((chunk.index, line))
            signed = _SIGNED.match(line)
            moment = None if signed is None else parsedate(signed["date"])
            if signed is not None and moment is not None:
                read[-1].author = signed["author"]
                read[-1].day, read[-1].signed = date(*moment[:3]), chunk.index
    return read


def written(text: str) -> date | None:
    """The date that a text is, in one of the ways people write it; None if it is none."""
    for way in _WRITTEN:
        try:
            return datetime.strptime(text, way).date()
        except ValueError:
            continue
    return None


def day_number(day: date) -> int:
    """Days since 1 January 1900."""
    return (day - _FIRST) // timedelta(days=1)


def solve(text: str, read: Sequence[Section]) -> Solution | None:
    """The answer to a question, None where it is not understood or the text does not answer."""
    for pattern, answer in _QUESTIONS:
        match = re.fullmatch(pattern, text)
        if match is not None:
            return answer(read, match.groupdict())
    return None


Named = Mapping[str, str]
_Answer = Callable[[Sequence[Section], Named], Solution | None]


def _one(read: Sequence[Section], label: str) -> Section | None:
    fitting = [each for each in read if each.label == label]
    return fitting[0] if len(fitting) == 1 else None


def _fact(family: str, value: Callable[[Section], str], dated: bool = True) -> _Answer:
    """A fact of the one entry that is named; `dated`: it stands with the date."""

    def answer(read: Sequence[Section], named: Named) -> Solution | None:
        one = _one(read, named["label"])
        if one is None or not value(one):
            return None
        where = (one.heading, one.signed) if dated else (one.heading,)
        return Solution(family, frozenset({value(one)}), evidence=where)

    return answer


def _neighbour(family: str, step: int) -> _Answer:
    def answer(read: Sequence[Section], named: Named) -> Solution | None:
        one = _one(read, named["label"])
        place = -1 if one is None else read.index(one) + step
        if one is None or not 0 <= place < len(read):
            return None
        other = read[place]
        where = (one.heading, other.heading)
        return Solution(family, frozenset({other.label}), evidence=where)

    return answer


def _mention(read: Sequence[Section], named: Named) -> Solution | None:
    word = re.compile(rf"{re.escape(named['key'])}(?![\w-])")
    inside = [(each, chunk) for each in read for chunk, line in each.lines if word.search(line)]
    if not inside:
        return None
    where = (inside[0][0].heading, inside[0][1])
    return Solution("mention", frozenset(each.label for each, _ in inside), evidence=where)


def _bug(read: Sequence[Section], named: Named) -> Solution | None:
    one = _one(read, named["label"])
    if one is None:
        return None
    inside = [(bug, chunk) for chunk, line in one.lines for bug in _BUG.findall(line)]
    if not inside:
        return None
    return Solution(
        "bug", frozenset(bug for bug, _ in inside), evidence=(one.heading, inside[0][1])
    )


def _latest(read: Sequence[Section], named: Named) -> Solution | None:
    *earlier, last = read
    stale = frozenset(each.label for each in earlier) - {last.label}
    return Solution("latest", frozenset({last.label}), stale, (last.heading,))


def _maker_at(family: str, place: int) -> _Answer:
    def answer(read: Sequence[Section], named: Named) -> Solution | None:
        one = read[place]
        others = frozenset(each.author for each in read) - {one.author}
        if not one.author or not others:
            return None
        stale = others if place == -1 else frozenset[str]()
        return Solution(family, frozenset({one.author}), stale, (one.heading, one.signed))

    return answer


def _as_of(read: Sequence[Section], named: Named) -> Solution | None:
    day = written(named["date"])
    if day is None or any(each.day is None for each in read):
        return None
    past = [each for each in read if each.day is not None and each.day <= day]
    if not past or len(past) == len(read):
        return None
    current, following = past[-1], read[len(past)]
    right = frozenset(each.label for each in past if each.day == current.day)
    stale = frozenset(each.label for each in past) - right
    where = (current.heading, current.signed, following.signed)
    return Solution("as_of", right, stale, where)


def _iso(one: Section) -> str:
    return "" if one.day is None else one.day.isoformat()


def _year(one: Section) -> str:
    return "" if one.day is None else str(one.day.year)


_N: Final = r"(?:version|release)"
_L: Final = rf"{_N} (?P<label>\S+)\?"
_QUESTIONS: Final[list[tuple[str, _Answer]]] = [
    (rf"On which day was {_N} (?P<label>\S+) released\?", _fact("released", _iso)),
    (rf"What is the date of {_L}", _fact("released", _iso)),
    (rf"In which year was {_N} (?P<label>\S+) released\?", _fact("year", _year)),
    (rf"What is the year of {_L}", _fact("year", _year)),
    (rf"Who (?:made|signed) {_L}", _fact("maker", lambda one: one.author)),
    (rf"What was the urgency of {_L}", _fact("urgency", lambda one: one.urgency, dated=False)),
    (rf"How urgent was {_L}", _fact("urgency", lambda one: one.urgency, dated=False)),
    (rf"Which {_N} came right after (?P<label>\S+)\?", _neighbour("after", 1)),
    (rf"What is the next {_N} after (?P<label>\S+)\?", _neighbour("after", 1)),
    (rf"Which {_N} came right before (?P<label>\S+)\?", _neighbour("before", -1)),
    (rf"What is the last {_N} before (?P<label>\S+)\?", _neighbour("before", -1)),
    (rf"Which {_N} names (?P<key>\S+)\?", _mention),
    (rf"In the notes of which {_N} does (?P<key>\S+) stand\?", _mention),
    (rf"Which bug do the notes of {_N} (?P<label>\S+) name\?", _bug),
    (rf"What is the number of the bug in the notes of {_L}", _bug),
    (rf"What is the latest {_N}\?", _latest),
    (rf"Which {_N} is the newest\?", _latest),
    (rf"Who (?:made|signed) the (?:latest|newest) {_N}\?", _maker_at("latest_maker", -1)),
    (rf"Who (?:made|signed) the (?:earliest|oldest) {_N}\?", _maker_at("first_maker", 0)),
    (rf"Which {_N} was the latest on (?P<date>[\w ]+)\?", _as_of),
    (rf"What was the newest {_N} as of (?P<date>[\w ]+)\?", _as_of),
]


def understood(text: str) -> Iterator[str]:
    """Patterns that a question fits; one, if wordings are told apart."""
    return (pattern for pattern, _ in _QUESTIONS if re.fullmatch(pattern, text))
