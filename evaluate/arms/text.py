"""The whole document with its days (ceiling), as it ships (undated), and none at all (floor)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...corpus.records import Document
from ...models.loading import CausalLM
from ...reasoner.generate import Prefix
from ..bench import ArmInputs


def ceiling_arm(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes that hold the whole document, its days written in."""
    return ceiling(inputs.bench.reasoner, inputs.documents)


def undated_arm(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes that hold the whole document as it ships."""
    return undated(inputs.bench.reasoner, inputs.documents)


def floor_arm(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes that hold the head of the prompt alone."""
    return floor(inputs.bench.reasoner, inputs.documents)


def ceiling(lm: CausalLM, documents: Sequence[Document]) -> list[Prefix]:
    """Prefixes that hold the whole document, its days written in where it has such a text."""
    return [Prefix.counted(embed_text(lm, document.dated_text)) for document in documents]


def undated(lm: CausalLM, documents: Sequence[Document]) -> list[Prefix]:
    """Prefixes that hold the whole document as it ships, which may not tell all its days."""
    return [Prefix.counted(embed_text(lm, document.text)) for document in documents]


def floor(lm: CausalLM, documents: Sequence[Document]) -> list[Prefix]:
    """Prefixes that hold nothing of the document: the head of the prompt alone."""
    return [Prefix.counted(embed_text(lm, "")) for _ in documents]


def embed_text(lm: CausalLM, text: str) -> Tensor:
    """Input embeddings [tokens, width] of the prompt's head and a text."""
    return embed_tokens(lm, lm.encode_after_head(text))


def embed_tokens(lm: CausalLM, token_ids: Sequence[int]) -> Tensor:
    """Input embeddings [tokens, width] of token ids."""
    ids = torch.tensor(list(token_ids), dtype=torch.int64, device=lm.device)
    table = lm.model.get_input_embeddings()
    with torch.inference_mode():
        embedded: Tensor = table(ids)
    return embedded
