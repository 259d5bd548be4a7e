"""The plainest baseline: some tokens of the document in a row, as many as it has latents.

Of the text with its days, which the latents are told too.
"""

from collections.abc import Callable

from ...reasoner.generate import Prefix
from ..bench import ArmInputs
from .text import embed_tokens


def truncation(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes that hold the first K tokens of each document, K being its number of latents."""
    return _part(inputs, lambda tokens, kept: 0)


def truncation_middle(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes that hold the K tokens in the middle of each document."""
    return _part(inputs, lambda tokens, kept: (tokens - kept) // 2)


def truncation_tail(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes that hold the last K tokens of each document."""
    return _part(inputs, lambda tokens, kept: tokens - kept)


def _part(inputs: ArmInputs, first_of: Callable[[int, int], int]) -> list[Prefix]:
    """The head of the prompt, then K tokens from the first on that `first_of(tokens, K)` says."""
    lm, head = inputs.bench.reasoner, inputs.head
    prefixes = []
    for document, x_KR in zip(inputs.documents, inputs.vectors, strict=True):
        token_ids = lm.encode_after_head(document.dated_text)
        kept = min(len(x_KR), len(token_ids) - head)
        first = head + first_of(len(token_ids) - head, kept)
        part = token_ids[:head] + token_ids[first : first + kept]
        prefixes.append(Prefix.counted(embed_tokens(lm, part)))
    return prefixes
