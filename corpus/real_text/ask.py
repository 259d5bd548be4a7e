"""Questions about dated entries whose answer the structure of the text gives, and no others.

Left out is what a reader without the text could tell, such as a successor that only counts up or a
year that stands in the version, and what the text answers in two ways: a name in two entries.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from ...common.buckets import bucket_of
from ..dates import date_of
from ..records import Document, Form, Question
from .entries import Entry
from .stretch import Stretch
from .wordings import WORDINGS

LEAST_ENTRIES: Final = 2
"""Of fewer entries nothing is asked: there is nothing to mistake one for."""
LEAST_IN_ORDER: Final = 3
"""Of fewer entries nothing is asked about their order: the answer would be the other one."""
MOST_A_FAMILY: Final = 2
"""Questions of one family about one document."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a format calls an entry, and which names in its text are asked for."""

    noun: str
    names: re.Pattern[str]
    """Names such as a bug, a CVE or a zone, as whole words."""
    bugs: re.Pattern[str] | None = None
    """Every way to write the number of a bug (group 1), which is asked for; None: none is."""


@dataclass(frozen=True, slots=True)
class _Place:
    """An entry of a document and the chunks that its facts stand in."""

    entry: Entry
    chunks: tuple[int, ...]
    heading: int
    """Chunk of the heading."""
    signed: int
    """Chunk of the date."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A question before it is worded."""

    family: str
    fields: dict[str, str]
    answer: str
    evidence: tuple[int, ...]
    form: Form | str = ""
    others: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    mistakes: tuple[tuple[str, str], ...] = ()


def ask(name: str, stretch: Stretch, notes: Notes | None) -> Document:
    """A document of a stretch, with at most `MOST_A_FAMILY` questions of every family.

    Which ones, and their wording, are drawn by hashes: the same document has the same questions.
    """
    document = Document(name, stretch.chunks)
    if notes is None or len(stretch.entries) < LEAST_ENTRIES:
        return document
    places = _places(stretch)
    labels = Counter(place.entry.label for place in places)
    if max(labels.values()) > 1:
        return document
    drawn: dict[str, list[_Draft]] = {}
    for each in _all(stretch, places, notes):
        drawn.setdefault(each.family, []).append(each)
    chosen = [
        each
        for family in WORDINGS
        for each in sorted(
            drawn.get(family, []), key=lambda one: _draw(name, one.family, one.fields)
        )[:MOST_A_FAMILY]
    ]
    questions = tuple(
        _worded(document, number, each, notes.noun) for number, each in enumerate(chosen)
    )
    return replace(document, questions=questions)


def _draw(*what: object) -> int:
    return int(hashlib.sha256(repr(what).encode()).hexdigest()[:12], 16)


def _worded(document: Document, number: int, each: _Draft, noun: str) -> Question:
    wordings = WORDINGS[each.family]
    which = _draw("wording", document.document_id, each.family, each.fields) % len(wordings)
    evidence = tuple(sorted(set(each.evidence)))
    return Question(
        question_id=f"{document.document_id}/{number}",
        family=each.family,
        text=wordings[which].format(noun=noun, **each.fields),
        answer=each.answer,
        stale_answers=tuple(dict.fromkeys(each.stale)),
        evidence=evidence,
        bucket=bucket_of(evidence[-1], len(document.chunks)),
        form=each.form,  # type: ignore[arg-type]
        needs_days=False,
        asked_after=evidence[-1],
        wording=f"{each.family}/{which}",
        mistakes=each.mistakes,
        other_answers=each.others,
    )


def _places(stretch: Stretch) -> list[_Place]:
    """Where every entry stands: chunks follow the entries, and none has two of them."""
    places, start = list[_Place](), 0
    for entry in stretch.entries:
        stop, size = start, -1
        while size < len(entry.text):
            size += len(stretch.chunks[stop].text) + 1
            stop += 1
        own = tuple(range(start, stop))
        texts = [stretch.chunks[index].text for index in own]
        signed = next((i for i, text in zip(own, texts, strict=True) if entry.date in text), start)
        if entry.author:
            signed = own[-1]
        places.append(_Place(entry, own, start, signed))
        start = stop
    return places


def _all(stretch: Stretch, places: Sequence[_Place], notes: Notes) -> Iterator[_Draft]:
    for place in places:
        yield from _of_one(place)
    yield from _urgencies(places)
    yield from _names(stretch, places, notes)
    if notes.bugs is not None:
        yield from _bugs(stretch, places, notes.bugs)
    if len(places) < LEAST_IN_ORDER:
        return
    yield from _neighbours(places)
    yield from _latest(places)
    yield from _as_of(places)


def _of_one(place: _Place) -> Iterator[_Draft]:
    """Day, year and maker of one entry."""
    entry = place.entry
    label, where = {"label": entry.label}, (place.heading, place.signed)
    day = None if entry.day is None else date_of(entry.day)
    if day is not None and entry.date:
        if day.strftime("%Y%m%d") not in re.sub(r"\D", "", entry.label):
            written = tuple(each for each in _ways(day) if each != entry.date)
            yield _Draft("released", label, entry.date, where, others=written)
        if f"{day.year % 100:02d}" not in entry.label:
            yield _Draft("year", label, str(day.year), where, "number")
    if entry.author:
        yield _Draft("maker", label, entry.author, where, "name")


def _ways(day: date) -> tuple[str, ...]:
    """A date as people write it."""
    month, short = f"{day:%B}", f"{day:%b}"
    return (
        day.isoformat(),
        f"{day.day} {month} {day.year}",
        f"{day.day} {short} {day.year}",
        f"{month} {day.day}, {day.year}",
    )


def _urgencies(places: Sequence[_Place]) -> Iterator[_Draft]:
    """Only where the document has several, each as often as the rarest."""
    by_urgency: dict[str, list[_Place]] = {}
    for place in places:
        if place.entry.urgency:
            by_urgency.setdefault(place.entry.urgency, []).append(place)
    if len(by_urgency) < 2:
        return
    rarest = min(map(len, by_urgency.values()))
    for urgency, members in sorted(by_urgency.items()):
        for place in sorted(members, key=lambda one: _draw("urgency", one.entry))[:rarest]:
            label = {"label": place.entry.label}
            yield _Draft("urgency", label, urgency, (place.heading,), "closed")


def _neighbours(places: Sequence[_Place]) -> Iterator[_Draft]:
    """What came right after and before, unless it is known by counting."""
    for number, (one, other) in enumerate(zip(places, places[1:], strict=False)):
        if counts_up(one.entry.label, other.entry.label):
            continue
        where = (one.heading, other.heading)
        behind = [each.entry.label for each in places[number + 2 : number + 3]]
        ahead = [each.entry.label for each in places[max(0, number - 1) : number]]
        label = {"label": one.entry.label}
        yield _Draft("after", label, other.entry.label, where,
                     mistakes=tuple(("other_side", each) for each in ahead))  # fmt: skip
        label = {"label": other.entry.label}
        yield _Draft("before", label, one.entry.label, where,
                     mistakes=tuple(("other_side", each) for each in behind))  # fmt: skip


def counts_up(one: str, other: str) -> bool:
    """Whether a label is the one before with its last number or letter counted up, or with .1.

    What stands before the first digit, such as `code` or `data`, is another matter.
    """
    one, other = (re.sub(r"^[a-z]+(?=\d)", "", label) for label in (one, other))
    ends = re.fullmatch(r"(.*?)(\d+|[a-y])", one)
    if ends is None or other == f"{one}.1":
        return ends is not None
    last = ends[2]
    following = str(int(last) + 1).zfill(len(last)) if last.isdecimal() else chr(ord(last) + 1)
    return other == ends[1] + following


def _names(stretch: Stretch, places: Sequence[_Place], notes: Notes) -> Iterator[_Draft]:
    """Names that stand in exactly one entry, be it as a part of a longer word."""
    keys = dict.fromkeys(
        match[0] for chunk in stretch.chunks for match in notes.names.finditer(chunk.text)
    )
    for key in keys:
        word = re.compile(rf"{re.escape(key)}(?![\w-])")
        where = [
            (place, index)
            for place in places
            for index in place.chunks
            if word.search(stretch.chunks[index].text)
        ]
        if len({place.entry.label for place, _ in where}) == 1:
            place, first = where[0]
            yield _Draft("mention", {"key": key}, place.entry.label, (place.heading, first))


def _bugs(stretch: Stretch, places: Sequence[_Place], bugs: re.Pattern[str]) -> Iterator[_Draft]:
    """The number of the only bug of an entry."""
    for place in places:
        where = [
            (number, index)
            for index in place.chunks
            for number in bugs.findall(stretch.chunks[index].text)
        ]
        if len({number for number, _ in where}) == 1:
            number, first = where[0]
            yield _Draft("bug", {"label": place.entry.label}, number, (place.heading, first),
                         "number", (f"#{number}",))  # fmt: skip


def _latest(places: Sequence[_Place]) -> Iterator[_Draft]:
    """The last entry, and who made it and the first one, where that changed."""
    first, last = places[0], places[-1]
    stale = tuple(place.entry.label for place in places[:-1])
    yield _Draft("latest", {}, last.entry.label, (last.heading,), stale=stale)
    makers = [place.entry.author for place in places]
    if not all(makers) or len(set(makers)) == 1:
        return
    earlier = tuple(maker for maker in makers[:-1] if maker != makers[-1])
    yield _Draft("latest_maker", {}, makers[-1], (last.heading, last.signed), "name", stale=earlier)
    if makers[0] != makers[-1]:
        yield _Draft("first_maker", {}, makers[0], (first.heading, first.signed), "name",
                     mistakes=(("latest", makers[-1]),))  # fmt: skip


def _as_of(places: Sequence[_Place]) -> Iterator[_Draft]:
    """The latest entry on a day well between two of them; not where two came on one day."""
    for number, (one, other) in enumerate(zip(places, places[1:], strict=False)):
        if one.entry.day is None or other.entry.day is None or not (one.entry.date):
            continue
        between = (one.entry.day + other.entry.day) // 2
        day = date_of(between)
        before = places[number - 1].entry.day if number else None
        if day is None or not one.entry.day < between < other.entry.day or before == one.entry.day:
            continue
        stale = tuple(place.entry.label for place in places[:number])
        where = (one.heading, one.signed, other.signed)
        yield _Draft("as_of", {"date": f"{day.day} {day:%B} {day.year}"}, one.entry.label, where,
                     stale=stale, mistakes=(("latest", places[-1].entry.label),))  # fmt: skip
