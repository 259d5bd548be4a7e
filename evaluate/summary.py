"""The text baseline: a summary as long as there are latents, by the model itself or another."""

from collections.abc import Mapping, Sequence

from ..corpus.records import Document
from ..models.loading import CausalLM
from ..reasoner.generate import Prefix, greedy_texts
from .teacher import ceiling, embed_text


def summaries(lm: CausalLM, documents: Sequence[Document], budgets: Sequence[int]) -> list[Prefix]:
    """Prefixes that hold a summary in place of each document.

    Args:
        lm: writes the summary with the whole document before it, then answers from the summary.
        documents: what is summarised.
        budgets: most tokens of each summary. What the model writes beyond is cut off, so the
            baseline never has more positions than the latents it is compared with.
    """
    prompts = [lm.prompt.summarise(budget) for budget in budgets]
    written = greedy_texts(lm, ceiling(lm, documents), prompts, max(budgets))
    return _prefixes(lm, written, budgets)


def given_summaries(
    lm: CausalLM,
    documents: Sequence[Document],
    budgets: Sequence[int],
    texts: Mapping[str, str],
) -> list[Prefix]:
    """The same with summaries that somebody else wrote, such as the text teacher.

    Args:
        lm: answers from the summary.
        documents: what was summarised.
        budgets: most tokens of each summary, in the tokens of `lm`; what is beyond is cut off.
        texts: summary of each document, by its id.
    """
    return _prefixes(lm, [texts[document.document_id] for document in documents], budgets)


def _prefixes(lm: CausalLM, written: Sequence[str], budgets: Sequence[int]) -> list[Prefix]:
    prefixes = []
    for text, budget in zip(written, budgets, strict=True):
        kept = lm.decode(lm.encode(text)[:budget])
        prefixes.append(Prefix.counted(embed_text(lm, lm.prompt.instead(kept))))
    return prefixes
