"""SQuAD 1.1 and 2.0 (Rajpurkar et al., 2016 and 2018): a paragraph of Wikipedia, spans of it.

As published in JSON, or as the hub has it in Parquet: a row for every question.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..records import Document
from .rows import Row, read_rows
from .texts import chunk_at, chunks_of, question, sentences, short_id


def read(path: Path) -> Iterator[Document]:
    """A document for every paragraph, its sentences as chunks; unanswerable questions left out."""
    paragraphs: dict[str, list[Row]] = {}
    for _, row in read_rows(path):
        for context, rows in _questions(row):
            paragraphs.setdefault(context, []).extend(rows)
    for context, rows in paragraphs.items():
        yield _document(context, rows)


def _questions(row: Row) -> Iterator[tuple[str, list[Row]]]:
    """Contexts with their questions, of either layout."""
    if "paragraphs" in row:
        for paragraph in row["paragraphs"]:
            yield paragraph["context"], [_flat(one) for one in paragraph["qas"]]
    else:
        yield row["context"], [row]


def _flat(one: Row) -> Row:
    answers: list[dict[str, Any]] = one["answers"]
    spans = {name: [each[name] for each in answers] for name in ("text", "answer_start")}
    return {"id": one["id"], "question": one["question"], "answers": spans}


def _document(context: str, rows: list[Row]) -> Document:
    parts = sentences(context)
    starts = [start for start, _ in parts]
    return Document(
        f"squad-{short_id(context)}",
        chunks_of([text for _, text in parts]),
        tuple(
            question(
                row["id"],
                "squad",
                row["question"],
                row["answers"]["text"],
                chunks=len(parts),
                evidence=[chunk_at(starts, row["answers"]["answer_start"][0])],
            )
            for row in rows
            if row["answers"]["text"]
        ),
    )
