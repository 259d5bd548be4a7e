"""Columns of a corpus folder's Parquet tables, by version of the format.

Version 2 appends columns to those of version 1: what records say of a chunk and of a question
beside text, day, answer and evidence. Version 3 adds other right answers of a question; it is
written only where there are any, so that other corpora keep their bytes; version 4, which says of
a document what it is a beginning of, likewise.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import pyarrow as pa

from .records import Document

_SPAN = pa.struct(
    [
        pa.field("chunk", pa.int32(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
    ]
)
_MISTAKE = pa.struct(
    [
        pa.field("mistake", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
    ]
)

_FIRST: Final = {
    "documents": [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("chunks", pa.int32(), nullable=False),
        pa.field("questions", pa.int32(), nullable=False),
        pa.field("summary", pa.string()),
    ],
    "chunks": [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("index", pa.int32(), nullable=False),
        pa.field("day", pa.int64()),
        pa.field("text", pa.string(), nullable=False),
    ],
    "questions": [
        pa.field("document_id", pa.string(), nullable=False),
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("stale_answers", pa.list_(pa.string()), nullable=False),
        pa.field("evidence", pa.list_(pa.int32()), nullable=False),
        pa.field("bucket", pa.string()),
    ],
}
_ADDED: Final = {
    "documents": [],
    "chunks": [pa.field("dated_text", pa.string())],
    "questions": [
        pa.field("form", pa.string(), nullable=False),
        pa.field("spans", pa.list_(_SPAN), nullable=False),
        pa.field("needs_days", pa.bool_()),
        pa.field("asked_after", pa.int32()),
        pa.field("held_out", pa.bool_(), nullable=False),
        pa.field("wording", pa.string(), nullable=False),
        pa.field("statements", pa.list_(pa.string()), nullable=False),
        pa.field("hops", pa.int32()),
        pa.field("mistakes", pa.list_(_MISTAKE), nullable=False),
    ],
}

_THIRD: Final = {
    "questions": [pa.field("other_answers", pa.list_(pa.string()), nullable=False)],
}
_FOURTH: Final = {"documents": [pa.field("beginning_of", pa.string())]}

VERSIONS: Final[Mapping[int, Mapping[str, pa.Schema]]] = {
    1: {name: pa.schema(columns) for name, columns in _FIRST.items()},
    2: {name: pa.schema([*columns, *_ADDED[name]]) for name, columns in _FIRST.items()},
    3: {
        name: pa.schema([*columns, *_ADDED[name], *_THIRD.get(name, [])])
        for name, columns in _FIRST.items()
    },
    4: {
        name: pa.schema([*columns, *_ADDED[name], *_THIRD.get(name, []), *_FOURTH.get(name, [])])
        for name, columns in _FIRST.items()
    },
}
"""Version -> table -> columns."""
TABLES: Final = tuple(_FIRST)
"""Names of the tables, in every version."""


def version_for(documents: Iterable[Document]) -> int:
    """The version that is written of some documents: the oldest that holds what they say."""
    documents = tuple(documents)
    if any(document.beginning_of is not None for document in documents):
        return 4
    questions = (question for document in documents for question in document.questions)
    return 3 if any(question.other_answers for question in questions) else 2
