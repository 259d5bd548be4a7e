"""The plainest baseline: the first tokens of the document, as many as it has latents."""

from ...reasoner.generate import Prefix
from ..bench import ArmInputs
from .text import embed_tokens


def truncation(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes that hold the first K tokens of each document, K being its number of latents.

    Of the text with its days, which the latents are told too.
    """
    lm, head = inputs.bench.reasoner, inputs.head
    prefixes = []
    for document, x_KR in zip(inputs.documents, inputs.vectors, strict=True):
        token_ids = lm.encode(lm.prompt.head + document.dated_text)[: head + len(x_KR)]
        prefixes.append(Prefix.counted(embed_tokens(lm, token_ids)))
    return prefixes
