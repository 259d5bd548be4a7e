"""RULER (Hsieh et al., 2024): needles, variables and counts in a prompt of a wanted length.

A record has the whole prompt; its last line asks, and what stands before is the document. Where
several outputs are wanted they are one answer, in their order: F1 tells how many of them are there.
"""

from collections.abc import Iterator
from pathlib import Path

from ...common.errors import CorpusError
from ..records import Document
from .rows import read_rows
from .texts import chunks_of, question, sentences


def read(path: Path) -> Iterator[Document]:
    """A document for every record, sentences as chunks; the family is the folder's name."""
    family = path.resolve().parent.name
    for number, row in read_rows(path):
        body, _, last = row["input"].rstrip().rpartition("\n")
        if not body.strip():
            raise CorpusError(
                f"{path}, record {number}: its prompt is one line, so where the document ends and "
                "the question begins is not known: give a task whose question has its own line"
            )
        parts = [text for _, text in sentences(body)]
        name = f"ruler-{family}-{number:05d}"
        answer = ", ".join(map(str, row["outputs"]))
        only = question(f"{name}/0", family, last, [answer], chunks=len(parts))
        yield Document(name, chunks_of(parts), (only,))
