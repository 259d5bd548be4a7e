"""What a document's text says, read sentence by sentence with nothing but regular expressions.

This reader shares no code and no table with the generator, so that the two can only agree about
a text that says what it should. A sentence it does not know is an error, never skipped.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .problems import problem
from .solver_words import COUNTS, FILLERS, SAID, TRADES

NAME: Final = "[A-Z][a-z]+"
COLOUR: Final = "red|blue|green|white|black|brown|grey|pink"
NOUN: Final = f"(?:{'|'.join(sorted(SAID, key=len, reverse=True))})"
PLURAL: Final = f"{NOUN}s"
WHO: Final = f"(?:the (?:{TRADES})|{NAME}|[Ss]he|[Hh]e)"
WHOSE: Final = f"(?:(?:the (?:{TRADES})|{NAME})'s|[Hh]er|[Hh]is)"
HAD: Final = f"(?:an? {NOUN} in {NAME}|{NOUN} [0-9]+|the {NOUN} [a-z]+|an? (?:{COLOUR}) {NOUN})"
IS: Final = f"(?:in {NAME}|[0-9]+|[a-z]+)"
AGO: Final = f"(?P<ago>{'|'.join(COUNTS)}) days? ago"
LEAD: Final = re.compile("(?:As everyone knows, |The clerk notes that |Word spread that )")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Characters [start, end) of one chunk: a sentence."""

    chunk: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence, read: its kind and who and what it names."""

    kind: str
    place: Place
    ago: int
    who: str = ""
    """The person, by name."""
    other: str = ""
    topic: str = ""
    """What the noun stands for; a role."""
    value: str = ""
    old: str = ""
    people: tuple[str, ...] = ()
    needs: tuple[Place, ...] = ()
    """Sentences that say who is meant, as far back as it takes, ascending."""


_SUBJECT: Final = f"(?P<who>{WHO})"
_OTHER: Final = f"(?P<other>{WHO})"
_FORMS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("set", rf"{_SUBJECT} (?:has|was given|got|chose|switched to) (?P<had>{HAD})"),
        ("set", rf"(?P<whose>{WHOSE}) (?P<noun>{NOUN}) is (?:now )?(?P<is>{IS})"),
        ("set", rf"[Tt]he (?P<noun>{NOUN}) of {_SUBJECT} is (?P<is>{IS})"),
        ("replace", rf"{_SUBJECT} no longer has (?P<past>{HAD}) but (?P<had>{HAD})"),
        ("replace", rf"{_SUBJECT} gave up (?P<past>{HAD}) for (?P<had>{HAD})"),
        ("same", rf"{_SUBJECT} (?:has the same|shares this) (?P<noun>{NOUN})"),
        ("same", rf"The same (?P<noun>{NOUN}) is that of {_SUBJECT}"),
        ("still", rf"{_SUBJECT} (?:still has|kept) (?P<had>{HAD})"),
        ("still", rf"(?P<whose>{WHOSE}) (?P<noun>{NOUN}) is still (?P<is>{IS})"),
        ("swap", rf"{_SUBJECT} and {_OTHER} swapped their (?P<nouns>{PLURAL})"),
        ("swap", rf"{_SUBJECT} traded (?P<nouns>{PLURAL}) with {_OTHER}"),
        ("swap", rf"{_SUBJECT} and {_OTHER} each took the (?P<noun>{NOUN}) of the other"),
        ("share", rf"{_SUBJECT} now has the same (?P<noun>{NOUN}) as {_OTHER}"),
        ("share", rf"{_SUBJECT} now shares {_OTHER}'s (?P<noun>{NOUN})"),
        ("share", rf"{_SUBJECT} now uses {_OTHER}'s (?P<noun>{NOUN}), too"),
        (
            "takeover",
            rf"{_SUBJECT} took over {_OTHER}'s (?P<noun>{NOUN}), and (?P<again>{WHO})"
            rf" got (?P<had>{HAD})",
        ),
        (
            "takeover",
            rf"{_OTHER}'s (?P<noun>{NOUN}) passed to {_SUBJECT}, and (?P<again>{WHO})"
            rf" got (?P<had>{HAD})",
        ),
        ("wish", rf"{_SUBJECT} (?:has asked for|hopes for|would like) (?P<had>{HAD})"),
        ("granted", rf"{_SUBJECT} got the (?P<noun>{NOUN}) wished for"),
        ("granted", rf"(?P<whose>{WHOSE}) wish for another (?P<noun>{NOUN}) was fulfilled"),
        ("granted", rf"{_SUBJECT} was granted the other (?P<noun>{NOUN})"),
        ("refused", rf"{_SUBJECT} no longer wants another (?P<noun>{NOUN})"),
        ("refused", rf"(?P<whose>{WHOSE}) wish for another (?P<noun>{NOUN}) was refused"),
        ("refused", rf"{_SUBJECT} was denied the other (?P<noun>{NOUN})"),
        (
            "correction",
            rf"(?:Correction|It was written wrongly): (?P<whose>{WHOSE}) (?P<noun>{NOUN})"
            rf" is (?P<is>{IS}), not (?P<was>{IS})",
        ),
        ("untrue", rf"Some say that {_SUBJECT} has (?P<had>{HAD}), which is false"),
        (
            "untrue",
            rf"Nobody believes that (?P<whose>{WHOSE}) (?P<noun>{NOUN}) is (?P<is>{IS})",
        ),
        ("untrue", rf"{_SUBJECT} (?:does not have|never had) (?P<had>{HAD})"),
        ("untrue", rf"(?P<whose>{WHOSE}) (?P<noun>{NOUN}) is not (?P<is>{IS})"),
        ("teach", rf"{_SUBJECT} teaches {_OTHER}"),
        ("teach", rf"{_OTHER} takes lessons from {_SUBJECT}"),
        ("heal", rf"{_SUBJECT} cures {_OTHER}"),
        ("heal", rf"{_OTHER} is nursed by {_SUBJECT}"),
        ("plead", rf"{_SUBJECT} speaks in court for {_OTHER}"),
        ("plead", rf"{_OTHER} is defended by {_SUBJECT}"),
        ("pay", rf"{_SUBJECT} pays {_OTHER}"),
        ("pay", rf"{_OTHER} earns wages from {_SUBJECT}"),
        ("feed", rf"{_SUBJECT} cooks for {_OTHER}"),
        ("feed", rf"{_OTHER} eats meals made by {_SUBJECT}"),
        ("trade", rf"(?P<who>{NAME}) is the (?P<trade>{TRADES})"),
        ("trade", rf"[Tt]he (?P<trade>{TRADES}) is called (?P<who>{NAME})"),
        ("trade", rf"(?P<who>{NAME}) serves as (?P<trade>{TRADES})"),
        (
            "line",
            r"[Aa]t the well stand in line, from the front, (?P<people>[A-Z][A-Za-z, ]+)",
        ),
        ("line", r"[Ff]rom front to back, (?P<people>[A-Z][A-Za-z, ]+) stand in line at the well"),
        ("line_swap", rf"{_SUBJECT} and {_OTHER} swapped places in the line"),
        ("line_swap", rf"{_SUBJECT} traded places with {_OTHER}"),
        ("front", rf"{_SUBJECT} (?:went|was sent) to the front of the line"),
        ("back", rf"{_SUBJECT} (?:went|was sent) to the back of the line"),
    )
)
ROLES: Final = ("teach", "heal", "plead", "pay", "feed")
_EVENTS: Final = re.compile(r"was given|got|chose|switched to|gave up")
_ONE_PERSON: Final = frozenset(
    ("set", "replace", "same", "still", "wish", "granted", "refused", "correction", "untrue")
    + ("trade", "front", "back")
)
"""After these, she or he can be only one."""


def had(phrase: str) -> tuple[str, str]:
    """(topic, value) of what somebody has: `a hut in Velu`, `room 482`, `a red coat`."""
    for pattern in (
        rf"an? (?P<noun>{NOUN}) in (?P<value>{NAME})",
        rf"(?P<noun>{NOUN}) (?P<value>[0-9]+)",
        rf"the (?P<noun>{NOUN}) (?P<value>[a-z]+)",
        rf"an? (?P<value>{COLOUR}) (?P<noun>{NOUN})",
    ):
        match = re.fullmatch(pattern, phrase)
        if match:
            return SAID[match["noun"]], match["value"]
    raise problem(f"{phrase!r} is nothing that one has")


def read(texts: Sequence[str]) -> tuple[tuple[int | tuple[int] | None, ...], list[Statement]]:
    """The chunks of a document, as they are written.

    Returns:
        what each chunk's text says of its day (a day, `(n,)` for n days after the chunk before
        it, or None), and every statement but filler, in order.

    Raises:
        CorpusError: an unknown sentence, or one that refers to nobody.
    """
    told: list[int | tuple[int] | None] = []
    reader = _Reader(texts)
    statements: list[Statement] = []
    for chunk, text in enumerate(texts):
        day, start = _header(text)
        told.append(day)
        statements += reader.chunk(chunk, text, start)
    return tuple(told), statements


def _header(text: str) -> tuple[int | tuple[int] | None, int]:
    absolute = re.match(r"Day ([0-9]+)\.(?: |$)", text)
    if absolute:
        return int(absolute[1]), absolute.end()
    later = re.match(rf"({'|'.join(COUNTS)}) days? later\.(?: |$)", text, re.IGNORECASE)
    if later:
        return (COUNTS.index(later[1].lower()) + 1,), later.end()
    return None, 0


def sentences(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Start and end of every sentence of a chunk from a position on, the full stop included."""
    while start < len(text):
        end = text.find(". ", start)
        end = len(text) if end < 0 else end + 1
        yield start, end
        start = end + 1


class _Reader:
    """Reads chunk after chunk, and knows who bears which trade."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.trades: dict[str, tuple[str, Place]] = {}
        for chunk, text in enumerate(texts):
            for start, end in sentences(text, _header(text)[1]):
                for kind, pattern in _FORMS:
                    match = pattern.fullmatch(text[start : end - 1]) if kind == "trade" else None
                    if match:
                        place = Place(chunk, start, end)
                        self._learn(match["trade"], match["who"], place)

    def _learn(self, trade: str, person: str, place: Place) -> None:
        if trade in self.trades or person in (known for known, _ in self.trades.values()):
            raise problem(f"{place}: a second {trade}, or a second trade of {person}")
        self.trades[trade] = (person, place)

    def chunk(self, chunk: int, text: str, start: int) -> Iterator[Statement]:
        """Statements of one chunk."""
        before: Statement | None = None
        for begin, end in sentences(text, start):
            sentence = text[begin : end - 1]
            if text[end - 1] != ".":
                raise problem(f"chunk {chunk} ends without a full stop: {sentence!r}")
            if sentence in FILLERS:
                before = None
                continue
            before = self._statement(sentence, Place(chunk, begin, end), before)
            yield before

    def _statement(self, sentence: str, place: Place, before: Statement | None) -> Statement:
        content, ago = _without_time(LEAD.sub("", sentence, count=1))
        if content[:4] == "The " and re.match(f"(?:{TRADES})\\b", content[4:]):
            content = "t" + content[1:]
        found = [(k, m) for k, p in _FORMS if (m := p.fullmatch(content)) is not None]
        if len(found) != 1:
            raise problem(f"chunk {place.chunk}: {len(found)} readings of {sentence!r}")
        kind, match = found[0]
        if ago and not _EVENTS.search(content):
            raise problem(f"chunk {place.chunk}: no event, yet days ago: {sentence!r}")
        parts = match.groupdict()
        needs: list[Place] = []
        who = self._person(parts.get("who") or parts.get("whose"), place, before, needs)
        other = self._person(parts.get("other"), place, None, needs)
        if parts.get("again") and self._person(parts["again"], place, None, needs) != other:
            raise problem(f"chunk {place.chunk}: who got what in {sentence!r}")
        topic, value, old = _topic(kind, parts)
        if kind == "same":
            if before is None or before.topic != topic or before.kind != "set":
                raise problem(f"chunk {place.chunk}: the same as what in {sentence!r}")
            value = before.value
        people = tuple(re.split(r", | and ", parts["people"])) if parts.get("people") else ()
        kept = tuple(sorted(set(needs)))
        return Statement(kind, place, ago, who, other, topic, value, old, people, kept)

    def _person(
        self, words: str | None, place: Place, before: Statement | None, needs: list[Place]
    ) -> str:
        if not words:
            return ""
        words = words.removesuffix("'s")
        if words.lower() in ("she", "he", "her", "his"):
            if before is None or before.kind not in _ONE_PERSON:
                raise problem(f"chunk {place.chunk}, character {place.start}: who is {words}?")
            needs += [before.place, *before.needs]
            return before.who
        if words.startswith("the "):
            known = self.trades.get(words[4:])
            if known is None or known[1].chunk >= place.chunk:
                raise problem(f"chunk {place.chunk}: nobody is known to be {words}")
            needs.append(known[1])
            return known[0]
        return words


def _without_time(content: str) -> tuple[str, int]:
    for pattern in (rf"{AGO} (?P<rest>.+)", rf"(?P<rest>.+) {AGO}"):
        match = re.fullmatch(pattern, content[0].lower() + content[1:])
        if match:
            rest = match["rest"]
            again = content[0] + rest[1:] if pattern.startswith("(?P<rest>") else rest
            return again, COUNTS.index(match["ago"]) + 1
    return content, 0


def _topic(kind: str, parts: Mapping[str, str | None]) -> tuple[str, str, str]:
    """(topic, value, old value) of a sentence's parts."""
    if kind == "trade":
        return "trade", parts["trade"] or "", ""
    if kind in ROLES:
        return kind, "", ""
    topic, value, old = "", "", ""
    noun = parts.get("noun") or (parts.get("nouns") or "").removesuffix("s")
    if noun:
        topic = SAID[noun]
    if parts.get("is"):
        value = (parts["is"] or "").removeprefix("in ")
        old = (parts.get("was") or "").removeprefix("in ")
    if parts.get("had"):
        named, value = had(parts["had"] or "")
        if topic not in ("", named):
            raise problem(f"{topic} and {named} in one sentence")
        topic = named
    if parts.get("past"):
        named, old = had(parts["past"] or "")
        if named != topic:
            raise problem(f"{topic} given for {named}")
    return topic, value, old
