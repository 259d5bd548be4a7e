"""The text baseline: a summary that the model writes itself, as long as there are latents."""

from collections.abc import Sequence

from ..models import CausalLM
from ..store.records import Document
from .answers import Prefix, greedy_texts
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
    prefixes = []
    for text, budget in zip(written, budgets, strict=True):
        kept = lm.decode(lm.encode(text)[:budget])
        prefixes.append(Prefix.counted(embed_text(lm, lm.prompt.instead(kept))))
    return prefixes
