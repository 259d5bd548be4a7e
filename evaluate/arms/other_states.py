"""Latents by the same compressor of what is not quite the document: what do they carry without it?

Shapes: T = tokens, L = layers, D = width of the teacher.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...common.buckets import bucket_of
from ...corpus.records import Document
from ...models.sinks import ordinary_tokens
from ...reasoner.generate import Prefix
from ...store.read.features import DocumentFeatures
from ..bench import ArmInputs, ReadStates
from .latents import compress_documents


def stale(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of latents of the document as it was before its last third.

    They must be worse where the last third settles the answer; an instrument for overrides that
    does not see the difference measures something else (`above_stale`).
    """
    return _compressed(inputs, [before_last_third(document) for document in inputs.documents])


def metadata(inputs: ArmInputs) -> list[Prefix]:
    """Prefixes of latents that are told lengths, chunks and days, and nothing of what was read.

    Every state is the mean over all tokens of all documents of the evaluation but attention sinks.
    """
    mean_LD = _mean_state(inputs.bench.read(inputs.documents))
    return _compressed(inputs, inputs.documents, lambda one: one.states.float() * 0 + mean_LD)


def before_last_third(document: Document) -> Document:
    """The same document without the chunks of its last third; one chunk at least is left."""
    count = len(document.chunks)
    kept = [chunk for chunk in document.chunks if bucket_of(chunk.index, count) != "late"]
    return replace(document, chunks=tuple(kept or document.chunks[:1]))


def _compressed(
    inputs: ArmInputs,
    documents: Sequence[Document],
    change: Callable[[DocumentFeatures], Tensor] | None = None,
) -> list[Prefix]:
    read = inputs.bench.read if change is None else _changed(inputs.bench.read, change)
    bench = replace(inputs.bench, read=read)
    return compress_documents(bench, documents, lambda count: None).prefixes


def _changed(read: ReadStates, change: Callable[[DocumentFeatures], Tensor]) -> ReadStates:
    def changed(documents: Sequence[Document]) -> Iterator[DocumentFeatures]:
        for one in read(documents):
            yield replace(one, states=change(one).to(one.states.dtype))

    return changed


def _mean_state(features: Iterable[DocumentFeatures]) -> Tensor:
    """Mean state of every layer [L, D], attention sinks left out."""
    sums_LD, tokens = torch.zeros(()), 0
    for one in features:
        ordinary_TLD = one.states[ordinary_tokens(one.states)]
        sums_LD = sums_LD + ordinary_TLD.float().sum(dim=0)
        tokens += len(ordinary_TLD)
    return sums_LD / tokens
