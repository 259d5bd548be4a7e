"""Where an answer stands, whether it needs the days of chunks, and from when on it holds."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from .families import settled
from .queries import ANSWERS, Query
from .view import View
from .world import World

TIMED = (
    "value",
    "is_value",
    "since",
    "since_before",
    "earlier",
    "is_earlier",
    "count",
    "longest",
    "longest_value",
)
"""Kinds of query whose answer can depend on days."""


def closure(acts: Iterable[int], refers: Mapping[int, tuple[int, ...]]) -> tuple[int, ...]:
    """Acts, and those that say who these are about, and so on; ascending."""
    found: dict[int, None] = {}
    waiting = list(acts)
    while waiting:
        act = waiting.pop()
        if act not in found:
            found[act] = None
            waiting += refers[act]
    return tuple(sorted(found))


def needs_days(query: Query, answer: str, others: Sequence[View]) -> bool:
    """Whether some days that the text allows would give another answer.

    Args:
        query: what is asked.
        answer: the right answer.
        others: the world under days that the text allows; none if it tells all of them.
    """
    if query.kind not in TIMED or (query.day is None and query.kind in ("value", "is_value")):
        return False
    for view in others:
        if (query.day or 0) > view.last_day or not view.in_order(query.attribute):
            continue
        found = ANSWERS[query.kind](view, query)
        if found is None or found.answer != answer:
            return True
    return False


def chunks_about(world: World, attribute: str) -> set[int]:
    """Chunks that state something of an attribute, a role, a trade or the line."""
    histories = (h for item, h in world.histories.items() if item[1] == attribute)
    found = {setting.chunk for history in histories for setting in history}
    found |= {tie.chunk for tie in world.ties} | {line[0] for line in world.line}
    return found | {act.chunk for _, act in world.trades.values()}


def holds_from(
    query: Query,
    answer: str,
    upto: int,
    turns: Container[int],
    views: Callable[[int], tuple[View, View]],
) -> int:
    """First chunk after which a reader would give the answer, then and ever since.

    Args:
        query: what is asked.
        answer: the right one after chunk `upto`.
        upto: the last chunk that was read.
        turns: chunks that can change the answer; the others are passed over.
        views: by chunk, the world as written and in hindsight for who has read up to it.
    """
    chunk = upto
    while chunk > 0:
        if chunk in turns:
            found = settled(*views(chunk - 1), query)
            if found is None or found.answer != answer:
                return chunk
        chunk -= 1
    return chunk
