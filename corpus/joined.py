"""Several corpora as one, to train on a mixture of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..common.errors import CorpusError
from .files import Corpus, corpus_sha256, read_corpus
from .records import Document

MIXED: Final = "mixed"
"""Split of a corpus whose parts are of several, or of an unknown one."""


def joined(paths: Mapping[str, Path]) -> Corpus:
    """The documents of several corpora, one corpus after the other; nothing is written.

    Args:
        paths: name of a part -> folder or JSONL file. The name goes before the ids of its documents
            and questions, so that one text cut in two ways gives two documents.

    Raises:
        CorpusError: one of them cannot be read, or two hold the same documents.
    """
    parts = {name: read_corpus(path) for name, path in paths.items()}
    _refuse_repeated(parts)
    documents = tuple(each for name, part in parts.items() for each in _renamed(name, part))
    splits = {part.meta.get("split") for part in parts.values()}
    meta: dict[str, Any] = {
        "source": "join",
        "split": splits.pop() if len(splits) == 1 and None not in splits else MIXED,
        "parts": {
            name: {"sha256": part.sha256, "documents": len(part.documents), "meta": part.meta}
            for name, part in parts.items()
        },
    }
    return Corpus(documents, meta, corpus_sha256(documents))


def _refuse_repeated(parts: Mapping[str, Corpus]) -> None:
    seen: dict[str, str] = {}
    for name, part in parts.items():
        if (other := seen.setdefault(part.sha256, name)) != name:
            raise CorpusError(
                f"{other} and {name} hold the same documents (sha256 {part.sha256[:12]}): leave "
                "one of them out"
            )


def _renamed(name: str, part: Corpus) -> Iterator[Document]:
    for document in part.documents:
        questions = (
            replace(each, question_id=f"{name}/{each.question_id}") for each in document.questions
        )
        whole = document.beginning_of
        yield replace(
            document,
            document_id=f"{name}/{document.document_id}",
            questions=tuple(questions),
            beginning_of=None if whole is None else f"{name}/{whole}",
        )
