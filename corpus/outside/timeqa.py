"""Time-Sensitive-QA, written by people (Chen et al., 2021): who held what from when to when.

A record is a page of Wikipedia in paragraphs with questions whose answers are spans of it.
"""

from collections.abc import Iterator
from pathlib import Path

from ..records import Document, Question
from .rows import Row, read_rows
from .texts import chunks_of, question


def read(path: Path) -> Iterator[Document]:
    """A document for every record, paragraphs as chunks; questions without an answer left out."""
    for number, row in read_rows(path):
        paragraphs = [" ".join(text.split()) for text in row["paras"]]
        kept = [index for index, text in enumerate(paragraphs) if text]
        yield Document(
            f"timeqa-{number:05d}",
            chunks_of([paragraphs[index] for index in kept]),
            tuple(_questions(row, {old: new for new, old in enumerate(kept)}, number)),
        )


def _questions(row: Row, place: dict[int, int], number: int) -> Iterator[Question]:
    for index, (text, spans) in enumerate(row["questions"]):
        real = [span for span in spans if span["answer"].strip() and span["para"] in place]
        if real:
            yield question(
                f"timeqa-{number:05d}/{index}",
                "timeqa",
                text,
                [span["answer"] for span in real],
                chunks=len(place),
                evidence=[place[span["para"]] for span in real],
            )
