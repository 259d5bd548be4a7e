"""A model without a compressor: its answers from the text, with days and without, and from none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..corpus.records import Document
from ..models.loading import CausalLM
from ..reasoner.generate import Answerer, Prefix, greedy_answers
from .answers import answer_questions
from .arms.text import ceiling, floor, undated
from .ranking import RankedQuestion, rank
from .scores import EXACT, ScoredAnswer
from .suite import PLANNED


@dataclass(frozen=True, slots=True)
class TextAnswers:
    """What a model answered from text alone."""

    rows: list[ScoredAnswer]
    ranked: list[RankedQuestion]
    """Candidates, none unless requested."""
    cut: dict[str, int]
    """Arm -> answers that were not at their end when they had as many tokens as they may."""


def run_text_arms(
    lm: CausalLM,
    documents: Sequence[Document],
    batch_size: int = 8,
    *,
    rank_too: bool = False,
    answer_tokens: int | None = None,
    scorer: str = EXACT,
    answerer: Answerer = greedy_answers,
    progress: Callable[[str, int], None] = lambda arm, documents: None,
) -> TextAnswers:
    """Answers with the whole document (ceiling), as it ships (undated) and without it (floor).

    `undated` only where some document has a dated text besides the one that ships.

    Args:
        lm: who answers.
        documents: with their questions.
        batch_size: documents answered at once.
        scorer: a key of `SCORERS`.
        rank_too: whether candidates are ranked as well.
        answer_tokens: most tokens of an answer; None: as the right answers need.
        answerer: who computes the answers of `lm`.
        progress: receives the arm and the documents just finished.
    """
    arms: dict[str, list[Prefix]] = {
        "ceiling": ceiling(lm, documents),
        "floor": floor(lm, documents),
    }
    if any(document.is_dated_apart for document in documents):
        arms["undated"] = undated(lm, documents)
    progress(PLANNED, len(arms) * len(documents) * (2 if rank_too else 1))
    rows: list[ScoredAnswer] = []
    ranked: list[RankedQuestion] = []
    cut: dict[str, int] = {}
    for arm, prefixes in arms.items():
        on_arm, on_rank = partial(progress, arm), partial(progress, f"{arm} rank")
        answered = answer_questions(
            lm,
            documents,
            prefixes,
            arm,
            batch_size=batch_size,
            scorer=scorer,
            answer_tokens=answer_tokens,
            answerer=answerer,
            progress=on_arm,
        )
        rows += answered.rows
        cut[arm] = answered.cut
        if rank_too:
            ranked += rank(lm, documents, prefixes, arm, batch_size=batch_size, progress=on_rank)
    return TextAnswers(rows, ranked, cut)
