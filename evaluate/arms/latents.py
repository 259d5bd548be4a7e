"""The arm under test: the latents of the document, as the compressor makes them.

Shapes: B = documents, C = context positions, K = latents, R = width of the reasoner.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch

from ...compressor.model import Compressed, CompressionModel, compress
from ...compressor.states import pad_states
from ...corpus.records import Document
from ...reasoner.frozen import FrozenReasoner
from ...reasoner.generate import Prefix
from ...store.read.features import DocumentFeatures
from ..bench import ArmInputs, Bench
from .head import text_tokens

BYTES_PER_NUMBER = 2
"""bfloat16, in which latents and states are counted and measured."""


def compressed(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of the document's own latents."""
    return list(inputs.latents)


@dataclass(frozen=True, slots=True)
class CompressedDocuments:
    """The latents of all documents, and what they amount to."""

    prefixes: list[Prefix]
    """Of every document, in order: the prompt's head, then its vectors."""
    tokens: int
    """All tokens that the teacher reads."""
    text_tokens: int
    """Of them, those that count as compressed (`arms/head.py`)."""
    latents: int
    """Latents that the compressor says it made."""


@torch.inference_mode()
def compress_documents(
    bench: Bench, documents: Sequence[Document], progress: Callable[[int], None]
) -> CompressedDocuments:
    """Read and compress documents.

    Args:
        bench: what is measured.
        documents: what is compressed.
        progress: receives the number of documents of every finished batch.
    """
    reasoner = FrozenReasoner(bench.reasoner)
    model = bench.model.to(bench.device).eval()
    prefixes: list[Prefix] = []
    latents = tokens = counted = 0
    for batch in _batches(bench, documents):
        states = pad_states(batch)
        compressed = _rounded(model, compress(model, states.to(bench.device), bench.ratio))
        prefixes += prefixes_of(reasoner, compressed)
        latents += int(compressed.mask_BK.sum())
        tokens += int(states.tokens_B.sum())
        counted += sum(text_tokens(bench.reasoner, one.token_ids) for one in batch)
        progress(len(states.mask_BT))
    return CompressedDocuments(prefixes, tokens, counted, latents)


def prefixes_of(reasoner: FrozenReasoner, compressed: Compressed) -> list[Prefix]:
    """What stands before the questions about each document: the prompt's head, then its vectors."""
    context = reasoner.latent_context(compressed)
    rows = zip(context.x_BCR, context.mask_BC, context.position_BC, context.after_B, strict=True)
    return [
        Prefix(x_CR[mask_C], position_C[mask_C], int(after), context.adapters)
        for x_CR, mask_C, position_C, after in rows
    ]


def _rounded(model: CompressionModel, compressed: Compressed) -> Compressed:
    """The same from latents rounded to bfloat16: what is counted is what is measured."""
    z_BKE = compressed.z_BKE.to(torch.bfloat16).to(compressed.z_BKE.dtype)
    return replace(compressed, z_BKE=z_BKE, x_BKR=model.projection(z_BKE))


def _batches(bench: Bench, documents: Sequence[Document]) -> Iterator[list[DocumentFeatures]]:
    features = iter(bench.read(documents))
    while batch := list(islice(features, bench.batch_size)):
        yield batch
