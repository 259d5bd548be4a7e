"""Pieces that adapters share: sentences as chunks, evidence by place, ids that stay the same."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from ...common.buckets import bucket_of
from ..dates import day_of
from ..records import Chunk, Question

_BREAK: Final = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z0-9\"'(\[])|\n+")


def sentences(text: str) -> list[tuple[int, str]]:
    """(first character, sentence) of a text, blanks around each left out.

    A rule of thumb (an end mark, blanks, a capital or a digit), which also breaks behind "Dr.": it
    decides how a text is cut into chunks and nothing else.
    """
    parts, start = list[tuple[int, str]](), 0
    ends = [(match.start() + len(match.group().rstrip()), match.end()) for match in _breaks(text)]
    for stop, following in [*ends, (len(text), len(text))]:
        piece = text[start:stop]
        if piece.strip():
            parts.append((start + len(piece) - len(piece.lstrip()), piece.strip()))
        start = following
    return parts


def _breaks(text: str) -> list[re.Match[str]]:
    return list(_BREAK.finditer(text))


def short_id(text: str) -> str:
    """Twelve hex digits that are the same for the same text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def chunks_of(texts: Sequence[str], days: Sequence[int] | None = None) -> tuple[Chunk, ...]:
    """Chunks of texts in order, with days where there are any."""
    return tuple(
        Chunk(index, text, None if days is None else days[index])
        for index, text in enumerate(texts)
    )


def chunk_at(starts: Sequence[int], place: int) -> int:
    """Index of the last chunk that begins at or before a character."""
    return max(0, sum(start <= place for start in starts) - 1)


def question(
    name: str,
    family: str,
    text: str,
    answers: Sequence[str],
    *,
    chunks: int,
    evidence: Sequence[int] = (),
) -> Question:
    """A question with one right answer or several; repeated ones count once.

    Raises:
        ValueError: no answer.
    """
    known = [answer.strip() for answer in answers if answer.strip()]
    if not known:
        raise ValueError(f"question {name} has no answer")
    first, *others = dict.fromkeys(known)
    places = tuple(sorted(set(evidence)))
    return Question(
        question_id=name,
        family=family,
        text=" ".join(text.split()),
        answer=first,
        evidence=places,
        bucket=bucket_of(places[-1], chunks) if places else None,
        other_answers=tuple(others),
    )


_WRITTEN: Final = re.compile(r"(\d{1,2}) +([A-Z][a-z]{2})[a-z]* +(\d{4})")
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]


def written_day(text: str) -> int | None:
    """The day of `2024-06-01` or `01 Jun 2024`; None where there is no such date."""
    words = _WRITTEN.fullmatch(text)
    if words is not None and words[2] in _MONTHS:
        text = f"{words[3]}-{_MONTHS.index(words[2]) + 1:02d}-{int(words[1]):02d}"
    try:
        return day_of(text)
    except ValueError:
        return None


def unwrapped(lines: Sequence[str], mark: re.Pattern[str]) -> list[str]:
    """Paragraphs of wrapped lines, each on one line.

    Args:
        lines: as they stand in a file; a blank one ends a paragraph.
        mark: how a line begins that is an item of a list, and so a paragraph of its own.
    """
    paragraphs = list[str]()
    inside = False
    for line in lines:
        if not line.strip():
            inside = False
        elif inside and not mark.match(line):
            paragraphs[-1] += " " + " ".join(line.split())
        else:
            paragraphs.append(" ".join(line.split()))
            inside = True
    return paragraphs
