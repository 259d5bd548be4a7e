"""Documents as training and evaluation take them, without a store between."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..corpus.chronicle.generator import chronicle
from ..corpus.chronicle.names import Split
from ..corpus.chronicle.presets import Preset
from ..corpus.records import BUCKETS, Document, bucket_of
from ..store.read.features import DocumentFeatures
from .loading import TextSide
from .tokens import tokenize_document


@dataclass(frozen=True, slots=True)
class LiveCorpus:
    """Documents of an endless corpus, by index."""

    size: Preset
    split: Split
    seed: int
    questions_per_family: int
    """At most this many questions of each family."""

    def document(self, index: int) -> Document:
        """Document number `index`."""
        most = self.questions_per_family
        return chronicle(
            self.size, self.split, self.seed, index, questions_per_family=most
        ).document


def describe_document(text_side: TextSide, document: Document) -> DocumentFeatures:
    """All that a store would hold of a document except its states, which have no layers here.

    Raises:
        CorpusError: the document is empty or longer than the model can read.
    """
    entry = tokenize_document(text_side, document)
    token_ids = torch.from_numpy(np.asarray(entry.token_ids))
    count = len(document.chunks)
    tokens_of_chunk = np.bincount(np.asarray(entry.chunk_of_token), minlength=count)
    return DocumentFeatures(
        document_id=document.document_id,
        states=torch.zeros(len(token_ids), 0, 1),
        token_ids=token_ids,
        spans=np.append(0, np.cumsum(tokens_of_chunk)),
        days=np.array([-1 if day is None else day for day in entry.days]),
        buckets=np.array([BUCKETS.index(bucket_of(i, count)) for i in range(count)]),
    )


def with_states(features: DocumentFeatures, states: Tensor) -> DocumentFeatures:
    """The same with states [T, L, D], rounded to bfloat16 as the store rounds them."""
    return dataclasses.replace(features, states=states.to(torch.bfloat16))
