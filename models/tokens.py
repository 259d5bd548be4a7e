"""Tokenization of a document for the teacher, with the chunk index of every token."""

from bisect import bisect_right

import numpy as np

from ..common.errors import CorpusError
from ..corpus.records import Document
from ..store.format.schema import DocumentEntry
from .loading import TextSide


def tokenize_document(text_side: TextSide, document: Document) -> DocumentEntry:
    """Tokens of the prompt's head, which belong to the first chunk, and of the document.

    A token belongs to the last chunk that it has a character of, because its state depends on
    the text up to there: a latent of earlier chunks must not contain it. The separator between two
    chunks counts to the one that it ends.

    Raises:
        CorpusError: the document is empty or longer than the model can read.
    """
    head = text_side.encode(text_side.prompt.head)
    encoding = text_side.tokenizer(
        document.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    body: list[int] = encoding["input_ids"]
    _check_length(document, len(body), len(head), text_side)
    starts = [start for start, _ in document.chunk_spans()]
    chunks = [
        bisect_right(starts, max(end - 1, start)) - 1 for start, end in encoding["offset_mapping"]
    ]
    return DocumentEntry(
        document_id=document.document_id,
        token_ids=np.array(head + body, dtype=np.int64),
        chunk_of_token=np.array([0] * len(head) + chunks, dtype=np.int64),
        days=tuple(chunk.day for chunk in document.chunks),
        question_ids=tuple(question.question_id for question in document.questions),
    )


def _check_length(document: Document, body: int, head: int, text_side: TextSide) -> None:
    if body == 0:
        raise CorpusError(f"document {document.document_id!r} is empty; leave it out of the corpus")
    if head + body > text_side.context_tokens:
        raise CorpusError(
            f"document {document.document_id!r} has {head + body:,} tokens, but "
            f"{text_side.identity.name!r} reads at most {text_side.context_tokens:,}; split it"
        )
