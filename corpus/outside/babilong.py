"""BABILong (Kuratov et al., 2024): facts of bAbI hidden in a long book; answers of one word."""

from collections.abc import Iterator
from pathlib import Path

from ..records import Document
from .rows import read_rows
from .texts import chunks_of, question, sentences


def read(path: Path) -> Iterator[Document]:
    """A document for every record, sentences as chunks; the family is the file's name."""
    family = path.name.split(".")[0]
    for number, row in read_rows(path):
        parts = [text for _, text in sentences(row["input"])]
        name = f"babilong-{family}-{number:05d}"
        only = question(f"{name}/0", family, row["question"], [row["target"]], chunks=len(parts))
        yield Document(name, chunks_of(parts), (only,))
