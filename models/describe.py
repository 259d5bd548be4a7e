"""A document as `DocumentFeatures`, straight from the tokenizer instead of from a store.

Axis letters: T tokens, L layers, D hidden size.
"""

import dataclasses

import numpy as np
import torch
from torch import Tensor

from ..common.buckets import BUCKETS, bucket_of
from ..corpus.records import Document
from ..store.read.features import DocumentFeatures
from .loading import TextSide
from .tokens import tokenize_document


def describe_document(text_side: TextSide, document: Document) -> DocumentFeatures:
    """Everything that a store holds of a document except the states, which have no layers here.

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


def with_states(features: DocumentFeatures, h_TLD: Tensor) -> DocumentFeatures:
    """The same features with states [T, L, D], rounded to bfloat16 as a store rounds them."""
    return dataclasses.replace(features, states=h_TLD.to(torch.bfloat16))
