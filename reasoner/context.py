"""Whether documents with their questions fit into what a model was made to read at once.

Rotary positions go on beyond that without a word, and learned ones end in an error in the middle of
a run, so it is asked before.
"""

from collections.abc import Sequence

from ..common.errors import CorpusError
from ..corpus.records import Document, Question
from ..models.loading import TextSide


def longest_question(lm: TextSide, questions: Sequence[Question]) -> int:
    """Most tokens that the prompt of a question takes; 0 of none."""
    return max((len(lm.encode_question(one.text)) for one in questions), default=0)


def document_tokens(lm: TextSide, document: Document) -> int:
    """Tokens of a document behind the prompt's head, with its days written in or as it ships,
    whichever is more."""
    texts = {document.text, document.dated_text}
    return max(len(lm.encode_after_head(text)) for text in texts)


def longest_prompt(lm: TextSide, documents: Sequence[Document]) -> int:
    """Tokens of the longest document together with its longest question; 0 of none."""
    return max(
        (document_tokens(lm, one) + longest_question(lm, one.questions) for one in documents),
        default=0,
    )


def check_context(
    lm: TextSide, documents: Sequence[Document], answer_tokens: int, where: str
) -> None:
    """Refuse documents that, with a question and its answer, are longer than a model reads.

    Args:
        lm: who reads them as text.
        documents: with their questions.
        answer_tokens: most tokens of an answer.
        where: where they come from, for the message.

    Raises:
        CorpusError: names the longest of them, what it takes and what there is.
    """
    needed = {}
    for document in documents:
        tokens = document_tokens(lm, document)
        question = longest_question(lm, document.questions)
        if tokens + question + answer_tokens > lm.context_tokens:
            needed[document.document_id] = (tokens, question)
    if not needed:
        return
    name, (tokens, question) = max(needed.items(), key=lambda each: sum(each[1]))
    raise CorpusError(
        f"{where}: {len(needed)} of {len(documents)} documents are longer than "
        f"{lm.identity.name!r} reads at once, {lm.context_tokens:,} tokens; {name!r} takes "
        f"{tokens:,}, with a question {question:,} more and an answer {answer_tokens:,}; split "
        "these documents, or leave them out"
    )
