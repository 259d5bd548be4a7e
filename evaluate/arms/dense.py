"""Dense retrieval with the teacher's own states: what it knows of a chunk, against a question.

Shapes: T = tokens, L = layers, D = width of the teacher, N = chunks.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ...corpus.records import Chunk, Document
from ...models.sinks import ordinary_tokens
from ...reasoner.generate import Prefix
from ...store.read.features import DocumentFeatures
from ..bench import ArmInputs
from .head import head_tokens
from .packing import pack_chunks


def dense(inputs: ArmInputs) -> list[Prefix]:
    """For every question the chunks whose mean states are nearest to those of the question.

    Nearest by the cosine, after the mean over the chunks of the document is taken off, layer by
    layer: without that, all states of a model point nearly the same way (Ethayarajh, 2019).
    The prompt's head and attention sinks are left out of all means: every question begins with the
    same states as the first chunk, and would be nearest to it for their sake.
    """
    bench, prefixes = inputs.bench, list[Prefix]()
    queries = iter(bench.read(_questions(inputs.documents)))
    read = zip(inputs.documents, bench.read(inputs.documents), inputs.vectors, strict=True)
    for document, features, x_KR in read:
        chunk_NLD = _chunk_means(features, _telling(inputs, features))
        mean_LD = chunk_NLD.mean(dim=0)
        for _ in document.questions:
            query = next(queries)
            question_LD = query.states[_telling(inputs, query)].float().mean(dim=0)
            near_NL = cosine_similarity(chunk_NLD - mean_LD, (question_LD - mean_LD)[None], dim=-1)
            ranked = near_NL.mean(dim=1).argsort(descending=True, stable=True).tolist()
            prefixes.append(pack_chunks(bench.reasoner, document, ranked, len(x_KR)))
    return prefixes


def _questions(documents: Sequence[Document]) -> list[Document]:
    """Every question as a document of its own, which the teacher can read."""
    return [
        Document(question.question_id, (Chunk(0, question.text),))
        for document in documents
        for question in document.questions
    ]


def _telling(inputs: ArmInputs, features: DocumentFeatures) -> Tensor:
    """Which tokens are of the text and no sinks: bool [T]."""
    telling_T = ordinary_tokens(features.states)
    telling_T[: head_tokens(inputs.bench.reasoner, features.token_ids)] = False
    return telling_T


def _chunk_means(features: DocumentFeatures, telling_T: Tensor) -> Tensor:
    """Mean states of every chunk [N, L, D]; zeros of one without tokens."""
    return torch.stack(list(_means(features, telling_T)))


def _means(features: DocumentFeatures, telling_T: Tensor) -> Iterator[Tensor]:
    for start, stop in pairwise(features.spans.tolist()):
        part_TLD = features.states[start:stop][telling_T[start:stop]].float()
        yield part_TLD.mean(dim=0) if len(part_TLD) else torch.zeros(part_TLD.shape[1:])
