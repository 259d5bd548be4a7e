"""LongMemEval (Wu et al., 2025): one question about months of dated chats with an assistant.

Families `knowledge-update` and `temporal-reasoning` are those of this project's question.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ..dates import day_of
from ..records import Chunk, Document
from .rows import Row, read_rows
from .texts import question


def read(path: Path) -> Iterator[Document]:
    """A document for every question: sessions as chunks, in the order of their dates."""
    for _, row in read_rows(path):
        yield _document(row)


def _document(row: Row) -> Document:
    dates, sessions = row["haystack_dates"], row["haystack_sessions"]
    ids = row.get("haystack_session_ids") or [str(number) for number in range(len(sessions))]
    order = sorted(range(len(sessions)), key=lambda number: dates[number])
    telling = set(row.get("answer_session_ids") or ())
    texts = [_session(sessions[number]) for number in order]
    chunks = tuple(
        Chunk(place, text, _day(dates[number]), f"{dates[number]}. {text}")
        for place, (number, text) in enumerate(zip(order, texts, strict=True))
    )
    unanswerable = str(row["question_id"]).endswith("_abs")
    only = question(
        str(row["question_id"]),
        "abstention" if unanswerable else row["question_type"],
        f"It is {row['question_date']}. {row['question']}",
        [str(row["answer"])],
        chunks=len(chunks),
        evidence=[place for place, number in enumerate(order) if ids[number] in telling],
    )
    return Document(f"longmemeval-{row['question_id']}", chunks, (only,))


def _session(turns: list[dict[str, str]]) -> str:
    return " ".join(f"{turn['role']}: {' '.join(turn['content'].split())}" for turn in turns)


def _day(date: str) -> int:
    """The day of `2023/05/20 (Sat) 02:21`."""
    year, month, day = re.findall(r"\d+", date)[:3]
    return day_of(f"{year}-{month:0>2}-{day:0>2}")
