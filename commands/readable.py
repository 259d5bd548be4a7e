"""Whether the reasoner makes anything of its documents: said before a training, not after."""

from collections.abc import Sequence
from typing import Final

from ..corpus.records import Document
from ..evaluate.arms.text import ceiling, floor
from ..experiment.order import tell_user
from ..models.loading import CausalLM
from ..reasoner.likelihood import encode_choice, log_likelihoods

DOCUMENTS: Final = 2
QUESTIONS: Final = 4
"""Of each document, its first ones."""
LEAST: Final = 0.25
"""Nats per answer token that reading the document should be worth. The lab teacher gains 3 and more
on documents that it knows how to read."""


def tell_unread(lm: CausalLM, documents: Sequence[Document], rank: int = 0) -> None:
    """One line on stderr where the reasoner hardly reads these documents; of the first process."""
    if rank == 0 and (line := unread(lm, documents)):
        tell_user(line)


def unread(lm: CausalLM, documents: Sequence[Document]) -> str:
    """What to say where right answers are hardly likelier with the document than without it.

    Args:
        lm: the reasoner.
        documents: some that it is to be trained on.

    Returns:
        One line; empty where it reads them, or there are no questions to tell by.
    """
    usable = [one for one in documents if one.training_questions][:DOCUMENTS]
    if not usable:
        return ""
    choices = [
        [encode_choice(lm, one, [one.answer]) for one in document.training_questions[:QUESTIONS]]
        for document in usable
    ]
    totals = []
    for prefixes in (ceiling(lm, usable), floor(lm, usable)):
        read = log_likelihoods(lm, prefixes, choices)
        each = [answer for document in read for question in document for answer in question]
        totals.append(-sum(one.total for one in each) / sum(one.tokens for one in each))
    with_text, without = totals
    if without - with_text >= LEAST:
        return ""
    return (
        f"{lm.identity.name!r} hardly reads these documents: a right answer costs "
        f"{with_text:.2f} nats a token with the whole document before it and {without:.2f} without "
        f"({len(usable)} documents); what it cannot use as text it cannot learn from latents. "
        "`latentcomp evaluate --teacher-only` on such documents tells more; another teacher, its "
        "own prompt (latentcomp.json) or other documents would help"
    )
