"""Sentence frames of statements, and which wordings belong to which split.

A wording of an item is a frame with a noun, one of a trade a frame with that trade, one of a role
or of the line a frame with a lead-in. By the CRC-32 of its id most wordings are everybody's, some
are kept for validation or test. Each frame, noun, trade and lead-in by itself occurs in training,
and each frame without a lead-in; the combination does not.

Slots: {P} the person, {Ps} the person's, {O}, {Os} the other one, {n} the noun, {ns} its plural,
{x} what stands after `is`, {np} what stands after `has`; {u} and {up} those of the old value.
"""

import zlib
from collections.abc import Sequence
from functools import cache
from typing import Final

from .lexicon import ROLE_OF
from .strings import Split
from .world import Kind

PLAIN: Final = (
    "{Ps} {n} is {x}.",
    "The {n} of {P} is {x}.",
    "{P} has {np}.",
    "{P} was given {np}.",
    "{P} got {np}.",
    "{P} chose {np}.",
)
"""Said of a first value and of a later one alike."""
EVENTS: Final = ("{P} was given {np}.", "{P} got {np}.", "{P} chose {np}.")
"""Those of `PLAIN` that can be told days later."""
FRAMES: Final[dict[Kind, tuple[str, ...]]] = {
    "set": PLAIN,
    "update": (
        *PLAIN,
        "{Ps} {n} is now {x}.",
        "{P} no longer has {up} but {np}.",
        "{P} gave up {up} for {np}.",
        "{P} switched to {np}.",
    ),
    "same": ("{P} has the same {n}.", "The same {n} is that of {P}.", "{P} shares this {n}."),
    "restate": (
        "{P} still has {np}.",
        "{Ps} {n} is still {x}.",
        "{P} kept {np}.",
        "{Ps} {n} is {x}.",
        "The {n} of {P} is {x}.",
        "{P} has {np}.",
    ),
    "swap": (
        "{P} and {O} swapped their {ns}.",
        "{P} traded {ns} with {O}.",
        "{P} and {O} each took the {n} of the other.",
    ),
    "share": (
        "{P} now has the same {n} as {O}.",
        "{P} now shares {Os} {n}.",
        "{P} now uses {Os} {n}, too.",
    ),
    "takeover": (
        "{P} took over {Os} {n}, and {O} got {np}.",
        "{Os} {n} passed to {P}, and {O} got {np}.",
    ),
    "ask": ("{P} has asked for {np}.", "{P} hopes for {np}.", "{P} would like {np}."),
    "granted": (
        "{P} got the {n} wished for.",
        "{Ps} wish for another {n} was fulfilled.",
        "{P} was granted the other {n}.",
    ),
    "refused": (
        "{P} no longer wants another {n}.",
        "{Ps} wish for another {n} was refused.",
        "{P} was denied the other {n}.",
    ),
    "correction": (
        "Correction: {Ps} {n} is {x}, not {u}.",
        "It was written wrongly: {Ps} {n} is {x}, not {u}.",
    ),
    "rumour": (
        "Some say that {P} has {np}, which is false.",
        "Nobody believes that {Ps} {n} is {x}.",
    ),
    "denial": ("{P} does not have {np}.", "{Ps} {n} is not {x}.", "{P} never had {np}."),
    "trade": ("{P} is the {t}.", "The {t} is called {P}.", "{P} serves as {t}."),
    "line": (
        "at the well stand in line, from the front, {people}.",
        "from front to back, {people} stand in line at the well.",
    ),
    "line_swap": ("{P} and {O} swapped places in the line.", "{P} traded places with {O}."),
    "line_move": ("{P} went to the {e} of the line.", "{P} was sent to the {e} of the line."),
}
LEADS: Final = ("", "As everyone knows, ", "The clerk notes that ", "Word spread that ")
"""Before a sentence; most have none."""
LEAD_SHARE: Final = 0.15
HELD_OUT_SHARE: Final = 0.5
"""Sentences of validation and test that take a wording of their own split, where there is one."""
_OWN: Final[dict[Split, tuple[int, ...]]] = {
    "train": (0, 1, 2, 3, 4, 5, 6),
    "validation": (7,),
    "test": (8, 9),
}


def drawn_owner(wording: str) -> Split:
    """Split that the CRC-32 of a wording's id draws for it."""
    tenth = zlib.crc32(wording.encode()) % 10
    return next(split for split, tenths in _OWN.items() if tenth in tenths)


def share_out(cell: Sequence[str], *needed: Sequence[str]) -> dict[str, Split]:
    """Owners of the wordings of one cell: drawn, but with one for training among each `needed`."""
    owners = {wording: drawn_owner(wording) for wording in cell}
    for some in (cell, *needed):
        if some and not any(owners[wording] == "train" for wording in some):
            owners[min(some, key=lambda wording: zlib.crc32(wording.encode()))] = "train"
    return owners


@cache
def _cell(kind: Kind, key: str, noun: str) -> dict[str, Split]:
    frames = ROLE_OF[key].said if kind == "role" else FRAMES[kind]
    ends = (noun,) if noun else tuple(str(at) for at in range(len(LEADS) if kind in LED else 1))
    ids = [f"{kind}/{at}/{key}/{end}" for at in range(len(frames)) for end in ends]
    told_late = [wording for wording in ids if late(frame_of(wording))]
    plain = [[wording] for wording in ids if kind in LED and wording.endswith("/0")]
    return share_out(ids, told_late, *plain)


@cache
def wordings(kind: Kind, key: str, noun: str, split: Split, told_late: bool) -> tuple[str, ...]:
    """Ids of the wordings of one kind of statement, such as `update/3/room/chamber`.

    Args:
        kind: of the act.
        key: of its attribute or role; the trade; empty for others.
        noun: what the document calls the attribute; empty for others.
        split: whose own wordings are asked for.
        told_late: whether the sentence says how many days ago it was.
    """
    return tuple(
        wording
        for wording, owner in _cell(kind, key, noun).items()
        if owner == split and (not told_late or late(frame_of(wording)))
    )


def owner(wording: str) -> Split:
    """Split that a statement's wording belongs to; those of train are used in every split."""
    kind, _, key, end = wording.split("/")
    return _cell(kind, key, "" if end.isdigit() else end)[wording]


LED: Final[tuple[Kind, ...]] = ("role", "line", "line_swap", "line_move")
"""Kinds that are not about an item and take a lead-in, which is part of their wording."""


def late(frame: str) -> bool:
    """Whether a frame tells of an event, which can be told days later."""
    return frame in EVENTS or frame.startswith(("{P} gave up", "{P} switched"))


def frame_of(wording: str) -> str:
    """The frame of a wording's id."""
    kind, at, key, _ = wording.split("/")
    frames = ROLE_OF[key].said if kind == "role" else FRAMES[kind]  # type: ignore[index]
    return frames[int(at)]
