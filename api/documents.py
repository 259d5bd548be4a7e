"""What a user may give as documents: texts, records, a corpus on the disk."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ..common.errors import UsageError
from ..corpus.files import read_corpus
from ..corpus.records import Chunk, Document

Texts = str | Document | Path | Sequence[str | Document]
"""A text, a document, several of them, or the path of a corpus (folder or JSONL file)."""


def as_documents(given: Texts) -> tuple[Document, ...]:
    """Documents, whatever they were given as. A string is a text, a `Path` a corpus.

    A text without an id is called `text-` and the first of its SHA-256.

    Raises:
        UsageError: nothing was given, an empty text, or two documents with one id.
        CorpusError: the corpus cannot be read.
    """
    if isinstance(given, Path):
        return read_corpus(given).documents
    parts = [given] if isinstance(given, str | Document) else list(given)
    documents = tuple(as_document(part) for part in parts)
    if not documents:
        raise UsageError("no documents were given; give a text, documents, or a pathlib.Path")
    seen: set[str] = set()
    for document in documents:
        if document.document_id in seen:
            raise UsageError(
                f"two documents are called {document.document_id!r}; give each its own document_id"
            )
        seen.add(document.document_id)
    return documents


def as_document(given: str | Document) -> Document:
    """A document of one undated chunk, where only its text was given.

    Raises:
        UsageError: it is empty, or no text.
    """
    if isinstance(given, Document):
        return given
    if not isinstance(given, str):
        raise UsageError(
            f"a document is a str or a latentcomp.Document, not a {type(given).__name__}; a corpus "
            "on the disk is a pathlib.Path"
        )
    if not given.strip():
        raise UsageError("a text is empty; leave it out")
    name = f"text-{hashlib.sha256(given.encode()).hexdigest()[:12]}"
    return Document(name, (Chunk(0, given),))
