"""A world in words: sentences with their references, chunks with and without their days."""

import random
from dataclasses import dataclass
from typing import Final

from .frames import HELD_OUT_SHARE, LEAD_SHARE, LEADS, LED, frame_of, wordings
from .lexicon import ATTRIBUTES, SMALL_NUMBERS, being, having, plural
from .strings import Split
from .world import Act, Header, Kind, World

NEAR_SHARE: Final = 0.7
"""Sentences that stand beside others about the same person of the chunk."""
PRONOUN_SHARE: Final = 0.8
"""Of those that could, sentences that call a person she or he."""
TRADE_SHARE: Final = 0.5
"""Of the mentions of people with a known trade, those by trade."""
SEVERAL: Final[tuple[Kind, ...]] = ("swap", "share", "takeover", "role", "line", "line_swap")
"""Kinds that name several people: after these, she or he could be any of them."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One act in words."""

    act: int
    chunk: int
    text: str
    wording: str
    """Id of the wording: kind, frame, attribute or role, noun or lead-in."""
    refers: tuple[int, ...]
    """Acts whose sentences say who is meant by a pronoun or a trade, ascending."""


@dataclass(frozen=True, slots=True)
class Prose:
    """A document in words, before it is a text with or without days."""

    headers: tuple[str, ...]
    """What each chunk's text says of its day; empty where it says nothing."""
    full_headers: tuple[str, ...]
    """`Day 34.` for every chunk: for the reader who is told the days."""
    sentences: tuple[tuple[Sentence, ...], ...]
    """By chunk."""

    def texts(self, *, dated: bool = False) -> tuple[str, ...]:
        """Text of every chunk; with the day of every chunk written in if `dated`."""
        headers = self.full_headers if dated else self.headers
        return tuple(
            " ".join([*([head] if head else []), *(sentence.text for sentence in body)])
            for head, body in zip(headers, self.sentences, strict=True)
        )

    def spans(self, *, dated: bool = False) -> dict[int, tuple[int, int, int]]:
        """(chunk, start, end) in characters of its chunk's text, by act."""
        headers = self.full_headers if dated else self.headers
        found: dict[int, tuple[int, int, int]] = {}
        for chunk, (head, body) in enumerate(zip(headers, self.sentences, strict=True)):
            start = len(head) + 1 if head else 0
            for sentence in body:
                found[sentence.act] = (chunk, start, start + len(sentence.text))
                start += len(sentence.text) + 1
        return found

    def refers(self) -> dict[int, tuple[int, ...]]:
        """By act, the acts whose sentences say who it is about."""
        return {sentence.act: sentence.refers for body in self.sentences for sentence in body}


def write(rng: random.Random, world: World, split: Split) -> Prose:
    """Put a world into words; held-out wordings are those of `split`."""
    by_chunk: list[list[Act]] = [[] for _ in world.days]
    for act in world.acts:
        by_chunk[act.chunk].append(act)
    writer = _Writer(rng, world, split)
    return Prose(
        headers=tuple(_header(world, chunk, how) for chunk, how in enumerate(world.headers)),
        full_headers=tuple(f"Day {day}." for day in world.days),
        sentences=tuple(writer.chunk(_ordered(rng, acts)) for acts in by_chunk),
    )


def _header(world: World, chunk: int, how: Header) -> str:
    if how == "none":
        return ""
    if how == "absolute":
        return f"Day {world.days[chunk]}."
    gap = world.days[chunk] - world.days[chunk - 1]
    return f"{SMALL_NUMBERS[gap - 1].capitalize()} {_days(gap)} later."


def _days(count: int) -> str:
    return "day" if count == 1 else "days"


def _ordered(rng: random.Random, acts: list[Act]) -> list[Act]:
    """Acts of a chunk in the order of writing: by chance, one person's mostly together."""
    seats: dict[str, float] = {}
    keyed: list[tuple[float, float, Act]] = []
    for act in acts:
        seat = seats.setdefault(act.person, rng.random())
        key = seat if rng.random() < NEAR_SHARE else rng.random()
        if act.after is None:
            keyed.append((key, rng.random(), act))
    keyed.sort(key=lambda each: each[:2])
    followers = {act.after: act for act in acts if act.after is not None}
    written: list[Act] = []
    for _, _, act in keyed:
        written.append(act)
        if act.number in followers:
            written.append(followers[act.number])
    return written


class _Writer:
    """Writes chunk after chunk, and knows whom a pronoun would mean."""

    def __init__(self, rng: random.Random, world: World, split: Split) -> None:
        self.rng = rng
        self.world = world
        self.split = split
        self.nouns = {a.key: rng.choice(a.said) for a in ATTRIBUTES}
        """One noun for each attribute, so that a reader does not take two words for two things."""

    def chunk(self, acts: list[Act]) -> tuple[Sentence, ...]:
        """The sentences of one chunk."""
        body: list[Sentence] = []
        before: Act | None = None
        for act in acts:
            body.append(self._sentence(act, before))
            before = act
        return tuple(body)

    def _sentence(self, act: Act, before: Act | None) -> Sentence:
        if act.kind == "filler":
            return Sentence(act.number, act.chunk, act.value, f"filler/{act.value}", ())
        wording = self._wording(act)
        frame = frame_of(wording)
        refers: list[int] = []
        other = self._mention(act.other, act, refers) if act.other else ""
        person = ""
        if act.person:
            person = self._subject(act, before, frame, refers)
        text = frame.format_map(self._slots(act, wording, person, other))
        text = self._framed(act, wording, text)
        text = text[0].upper() + text[1:]
        return Sentence(act.number, act.chunk, text, wording, tuple(sorted(refers)))

    def _wording(self, act: Act) -> str:
        key = act.attribute.key if act.attribute else act.role or act.value * (act.kind == "trade")
        end, late = self.nouns.get(key, ""), act.ago > 0
        own: tuple[str, ...] = ()
        if self.split != "train" and self.rng.random() < HELD_OUT_SHARE:
            own = wordings(act.kind, key, end, self.split, late)
        choices = own or wordings(act.kind, key, end, "train", late)
        if act.kind in LED and self.rng.random() >= LEAD_SHARE:
            choices = tuple(each for each in choices if each.endswith("/0")) or choices
        return self.rng.choice(choices)

    def _subject(self, act: Act, before: Act | None, frame: str, refers: list[int]) -> str:
        could = (
            before is not None
            and before.person == act.person
            and before.kind not in SEVERAL
            and act.kind not in ("role", "trade", "takeover")
            and frame.startswith(("{P}", "{Ps}"))
        )
        if could and before is not None and self.rng.random() < PRONOUN_SHARE:
            refers.append(before.number)
            she = self.world.pronouns[act.person]
            if frame.startswith("{Ps}"):
                return {"she": "her", "he": "his"}[she]
            return she
        return self._mention(act.person, act, refers)

    def _mention(self, person: str, act: Act, refers: list[int]) -> str:
        trade = self.world.trades.get(person)
        if (
            trade is None
            or trade[1].chunk >= act.chunk
            or act.kind == "trade"
            or self.rng.random() >= TRADE_SHARE
        ):
            return person
        refers.append(trade[1].number)
        return f"the {trade[0]}"

    def _slots(self, act: Act, wording: str, person: str, other: str) -> dict[str, str]:
        slots = {"P": person, "O": other, "Os": f"{other}'s", "t": act.value, "e": act.value}
        slots["Ps"] = person if person in ("her", "his") else f"{person}'s"
        if act.people:
            slots["people"] = f"{', '.join(act.people[:-1])} and {act.people[-1]}"
        if act.attribute is not None:
            noun, form = wording.rsplit("/", 1)[1], act.attribute.form
            slots |= {"n": noun, "ns": plural(noun), "np": having(form, noun, act.value)}
            slots |= {"x": being(form, act.value)} if act.value else {}
            if act.old:
                slots |= {"u": being(form, act.old), "up": having(form, noun, act.old)}
        return slots

    def _framed(self, act: Act, wording: str, text: str) -> str:
        if act.kind in LED:
            return LEADS[int(wording.rsplit("/", 1)[1])] + text
        if act.ago:
            when = f"{SMALL_NUMBERS[act.ago - 1]} {_days(act.ago)} ago"
            return f"{when} {text}" if self.rng.random() < 0.5 else f"{text[:-1]} {when}."
        if act.attribute and ":" not in text and self.rng.random() < LEAD_SHARE:
            starts = text.startswith((*self.world.people, "the ", "she ", "he ", "her ", "his "))
            lead = self.rng.choice(LEADS[1:])
            return lead + text if starts and act.kind not in ("rumour",) else text
        return text
