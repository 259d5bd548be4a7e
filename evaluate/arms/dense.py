"""Dense retrieval with the teacher's own states: what it knows of a chunk, against a question.

Shapes: T = tokens, L = layers, D = width of the teacher, N = chunks, Q = questions.
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

    Nearest by the cosine, layer by layer, after the mean over the chunks of the document is taken
    off chunks, and that over the questions about it off questions: without that, all states of a
    model point nearly the same way (Ethayarajh, 2019), and those of a text that stands alone, as a
    question does, most of all like those of a first chunk, whatever both are about.
    The prompt's head and attention sinks are left out of all means: every question begins with the
    same states as the first chunk, and would be nearest to it for their sake.
    """
    bench, prefixes = inputs.bench, list[Prefix]()
    queries = iter(bench.read(alone(inputs.documents)))
    read = zip(inputs.documents, bench.read(inputs.documents), inputs.vectors, strict=True)
    for document, features, x_KR in read:
        chunk_NLD = _chunk_means(features, _telling(inputs, features))
        own = [next(queries) for _ in document.questions]
        if not own:
            continue
        for near_N in nearness(chunk_NLD, _question_means(inputs, own)):
            ranked = near_N.argsort(descending=True, stable=True).tolist()
            prefixes.append(pack_chunks(bench.reasoner, document, ranked, len(x_KR)))
    return prefixes


def nearness(chunk_NLD: Tensor, question_QLD: Tensor) -> Tensor:
    """Mean cosine over layers of each question with each chunk [Q, N], both without their mean.

    A single question has no mean of its own and goes without that of the chunks.
    """
    mean_LD = chunk_NLD.mean(dim=0)
    own_LD = question_QLD.mean(dim=0) if len(question_QLD) > 1 else mean_LD
    return cosine_similarity(
        (question_QLD - own_LD)[:, None], (chunk_NLD - mean_LD)[None], dim=-1
    ).mean(dim=-1)


def _question_means(inputs: ArmInputs, features: Sequence[DocumentFeatures]) -> Tensor:
    """Mean states of each question [Q, L, D]."""
    means = [one.states[_telling(inputs, one)].float().mean(dim=0) for one in features]
    return torch.stack(means)


def alone(documents: Sequence[Document]) -> list[Document]:
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
