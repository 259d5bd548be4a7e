"""What the reasoner knows on its own: with the whole document (ceiling) and without it (floor)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..corpus.records import Document
from ..models.loading import CausalLM
from ..reasoner.generate import Prefix, greedy_answers
from .scores import Arm, ScoredAnswer, score_answer


def embed_text(lm: CausalLM, text: str) -> Tensor:
    """Input embeddings [tokens, width] of the prompt's head and a text."""
    return embed_tokens(lm, lm.encode(lm.prompt.head + text))


def embed_tokens(lm: CausalLM, token_ids: Sequence[int]) -> Tensor:
    """Input embeddings [tokens, width] of token ids."""
    ids = torch.tensor(list(token_ids), dtype=torch.int64, device=lm.device)
    table = lm.model.get_input_embeddings()
    with torch.inference_mode():
        embedded: Tensor = table(ids)
    return embedded


def ask(
    lm: CausalLM,
    documents: Sequence[Document],
    prefixes: Sequence[Prefix],
    arm: Arm,
    *,
    batch_size: int = 8,
    progress: Callable[[int], None] = lambda documents: None,
) -> list[ScoredAnswer]:
    """Let the reasoner read `prefixes[i]` and answer every question about `documents[i]`.

    Args:
        lm: the frozen reasoner.
        documents: what the questions are about.
        prefixes: what stands in place of each document.
        arm: what the prefixes are, as it will stand in the tables.
        batch_size: documents of one batch.
        progress: told after every batch how many documents were done in it.
    """
    rows: list[ScoredAnswer] = []
    for start in range(0, len(documents), batch_size):
        batch = documents[start : start + batch_size]
        asked = [[question.text for question in document.questions] for document in batch]
        given = greedy_answers(
            lm,
            prefixes[start : start + batch_size],
            asked,
            batch_size=batch_size,
        )
        for document, answers in zip(batch, given, strict=True):
            rows += [
                score_answer(document.document_id, question, arm, answer)
                for question, answer in zip(document.questions, answers, strict=True)
            ]
        progress(len(batch))
    return rows


def ceiling(lm: CausalLM, documents: Sequence[Document]) -> list[Prefix]:
    """Prefixes that hold the whole document."""
    return [Prefix.counted(embed_text(lm, document.text)) for document in documents]


def floor(lm: CausalLM, documents: Sequence[Document]) -> list[Prefix]:
    """Prefixes that hold nothing of the document: the head of the prompt alone."""
    return [Prefix.counted(embed_text(lm, "")) for _ in documents]
