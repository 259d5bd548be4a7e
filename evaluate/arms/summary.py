"""The text baseline: a summary with as many tokens as there are latents."""

from collections.abc import Sequence

from ...corpus.records import Document
from ...models.loading import CausalLM
from ...reasoner.generate import Prefix, greedy_texts
from ..bench import ArmInputs
from .text import ceiling, embed_text


def summary(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes that hold a summary in place of each document.

    The summaries are those of `Bench.summaries`, or the reasoner's own, written with the whole
    document before it. What exceeds the number of latents is cut off, so that the baseline never
    has more positions than the latents it is compared with.
    """
    lm, given = inputs.bench.reasoner, inputs.bench.summaries
    budgets = [len(x_KR) for x_KR in inputs.vectors]
    if given is None:
        written = write_summaries(lm, inputs.documents, budgets)
    else:
        written = [given[document.document_id] for document in inputs.documents]
    return summary_prefixes(lm, written, budgets)


def write_summaries(
    lm: CausalLM, documents: Sequence[Document], budgets: Sequence[int]
) -> list[str]:
    """A summary of each document, written by `lm`; it knows its budget of tokens."""
    prompts = [lm.prompt.summarise(budget) for budget in budgets]
    return greedy_texts(lm, ceiling(lm, documents), prompts, max(budgets))


def summary_prefixes(
    lm: CausalLM, summaries: Sequence[str], budgets: Sequence[int]
) -> list[Prefix]:
    """Prefixes that hold these texts, each cut to its budget in tokens of `lm`."""
    prefixes = []
    for text, budget in zip(summaries, budgets, strict=True):
        kept = lm.decode(lm.encode(text)[:budget])
        prefixes.append(Prefix.counted(embed_text(lm, lm.prompt.instead(kept))))
    return prefixes
