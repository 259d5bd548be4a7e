"""The questions of all documents, answered by the reasoner and scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..corpus.records import Document
from ..models.loading import CausalLM
from ..reasoner.generate import Answerer, Prefix, greedy_answers, vectors_before_questions
from .answer_limit import answer_limit
from .scores import EXACT, ScoredAnswer, score_answer


@dataclass(frozen=True, slots=True)
class ArmAnswers:
    """What one arm answered, and from how much."""

    rows: list[ScoredAnswer]
    vectors: int
    """Vectors that stood before the questions, the prompt's head aside, summed over documents."""
    cut: int = 0
    """Answers that were not at their end when they had as many tokens as they may."""


def answer_questions(
    lm: CausalLM,
    documents: Sequence[Document],
    prefixes: Sequence[Prefix],
    arm: str,
    *,
    batch_size: int = 8,
    scorer: str = EXACT,
    answer_tokens: int | None = None,
    answerer: Answerer = greedy_answers,
    progress: Callable[[int], None] = lambda documents: None,
) -> ArmAnswers:
    """Let the reasoner read `prefixes[i]` and answer every question about `documents[i]`.

    Args:
        lm: the frozen reasoner.
        documents: what the questions are about.
        prefixes: what stands in place of each document.
        arm: name of the arm that made the prefixes.
        batch_size: documents of one batch.
        scorer: a key of `SCORERS`.
        answer_tokens: most tokens of an answer; None: as the right answers need (`answer_limit`).
        answerer: who computes the answers of `lm`.
        progress: receives the number of documents of every finished batch.
    """
    rows: list[ScoredAnswer] = []
    limit = answer_tokens or answer_limit(lm, documents)
    cut: list[int] = []
    vectors = 0
    for start in range(0, len(documents), batch_size):
        batch = documents[start : start + batch_size]
        read = prefixes[start : start + batch_size]
        questions = [[question.text for question in document.questions] for document in batch]
        answers = answerer(
            lm,
            read,
            questions,
            most_tokens=limit,
            batch_size=batch_size,
            on_cut=cut.append,
        )
        vectors += sum(vectors_before_questions(lm, prefix) for prefix in read)
        for document, texts in zip(batch, answers, strict=True):
            rows += [
                score_answer(
                    document.document_id,
                    question,
                    arm,
                    text,
                    scorer,
                    chunks=len(document.chunks),
                    original=document.beginning_of or "",
                )
                for question, text in zip(document.questions, texts, strict=True)
            ]
        progress(len(batch))
    return ArmAnswers(rows, vectors, sum(cut))
