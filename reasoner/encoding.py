"""A question and its answer in the reasoner's tokens: the one place that says what stands between
a document and an answer, in training, in likelihoods and in measures.

A continuation is no question: behind the document comes the separator of chunks, then the text
that follows, which has no end token, because it was cut and did not end.
"""

from ..corpus.records import CHUNK_SEPARATOR, Question
from ..models.loading import TextSide


def prompt_ids(lm: TextSide, question: Question) -> list[int]:
    """Token ids from the end of the document to the beginning of the answer."""
    if question.is_continuation:
        return lm.encode_text(CHUNK_SEPARATOR)
    return lm.encode_question(question.text)


def answer_ids(lm: TextSide, question: Question, answer: str) -> list[int]:
    """Token ids of an answer to a question, the end token included where it has one."""
    if question.is_continuation:
        return lm.encode_text(answer)
    return [*lm.encode_text(f" {answer}"), lm.eos_token_id]
