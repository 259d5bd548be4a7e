"""FactConsolidation of MemoryAgentBench (Hu et al., 2025): numbered facts, the later one holds.

Rows of the split `Conflict_Resolution`: one context, many questions about it, of one hop or more.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..records import Document
from .rows import Row, read_rows
from .texts import chunks_of, question

NAME: Final = "factconsolidation"
_NUMBERED: Final = re.compile(r"^\s*(\d+)[.:)]\s+(.*\S)\s*$")


def read(path: Path) -> Iterator[Document]:
    """A document for every row on facts: a chunk a fact, its number as its day."""
    for number, row in read_rows(path):
        source = str((row.get("metadata") or {}).get("source", NAME))
        if source.startswith(NAME):
            yield _document(row, source, number)


def _document(row: Row, source: str, number: int) -> Document:
    facts = [match for line in row["context"].split("\n") if (match := _NUMBERED.match(line))]
    pairs = sorted((int(match[1]), match[2]) for match in facts)
    questions = tuple(
        question(
            f"{source}-{number:03d}/{index}",
            source,
            text,
            [answers] if isinstance(answers, str) else list(answers),
            chunks=len(pairs),
        )
        for index, (text, answers) in enumerate(zip(row["questions"], row["answers"], strict=True))
    )
    chunks = chunks_of([text for _, text in pairs], [serial for serial, _ in pairs])
    return Document(f"{source}-{number:03d}", chunks, questions)
