"""Tokenization of a document for the teacher, with the chunk index of every token."""

from bisect import bisect_right

import numpy as np

from ..common.errors import CorpusError, TeacherError
from ..corpus.records import Document
from ..store.format.schema import DocumentEntry
from .loading import TextSide
from .plain_text import change_of_text, encode_plain


def tokenize_document(text_side: TextSide, document: Document) -> DocumentEntry:
    """Tokens of the prompt's head, which belong to the first chunk, and of the document.

    A token belongs to the last chunk that it has a character of, because its state depends on
    the text up to there: a latent of earlier chunks must not contain it. The separator between two
    chunks counts to the one that it ends.

    Raises:
        CorpusError: the document is empty or longer than the model can read, or the tokenizer
            does not keep its text.
        TeacherError: the tokenizer has a token without a row in the model's embeddings.
    """
    head = text_side.encode(text_side.prompt.head)
    encoding = encode_plain(text_side.tokenizer, document.text)
    body: list[int] = encoding.ids
    _check_length(document, len(body), len(head), text_side)
    _check_rows(document, [*head, *body], text_side)
    _check_text(document, body, text_side)
    starts = [start for start, _ in document.chunk_spans()]
    chunks = [bisect_right(starts, max(end - 1, start)) - 1 for start, end in encoding.offsets]
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


def _check_rows(document: Document, token_ids: list[int], text_side: TextSide) -> None:
    if max(token_ids) < text_side.vocabulary:
        return
    worst = max(token_ids)
    token = text_side.tokenizer.convert_ids_to_tokens([worst])[0]
    raise TeacherError(
        f"model {text_side.identity.name!r}: its tokenizer has id {worst:,} for {token!r} in "
        f"document {document.document_id!r}, but its embeddings have {text_side.vocabulary:,} "
        "rows; give the tokenizer that belongs to this model, or leave the document out"
    )


def _check_text(document: Document, body: list[int], text_side: TextSide) -> None:
    """The tokens must spell the document: a tokenizer that drops or changes text would have the
    teacher read another one."""
    backend = text_side.tokenizer.backend_tokenizer
    if change := change_of_text(backend, document.text, body):
        raise CorpusError(
            f"document {document.document_id!r}: the tokenizer of {text_side.identity.name!r} "
            f"does not keep its text: {change[0]!r} is read as {change[1]!r}; change the text "
            "there, or give another teacher"
        )
