"""Fresh chronicles with their tokens, made on demand: the front half of an extraction."""

from dataclasses import dataclass

import torch

from ..models import TextSide
from ..store.reader import DocumentFeatures
from ..store.records import BUCKETS, Document, bucket_of
from .corpus.chronicle import chronicle
from .corpus.names import Split
from .corpus.presets import Preset
from .tokens import tokenize_document


@dataclass(frozen=True, slots=True)
class LiveCorpus:
    """Documents of an endless corpus, by index."""

    text_side: TextSide
    size: Preset
    split: Split
    seed: int
    questions_per_family: int
    """At most this many questions of each family."""

    def document(self, index: int) -> Document:
        """Document number `index`."""
        return chronicle(
            self.size,
            self.split,
            self.seed,
            index,
            questions_per_family=self.questions_per_family,
        ).document

    def features(self, document: Document) -> DocumentFeatures:
        """All that a store would hold of a document except the states (no layers: [T, 0, 1])."""
        entry = tokenize_document(self.text_side, document)
        token_ids = torch.as_tensor(entry.token_ids)
        chunk_index = torch.as_tensor(entry.chunk_of_token)
        count = len(document.chunks)
        days = torch.tensor([-1 if c.day is None else c.day for c in document.chunks])
        buckets = torch.tensor([BUCKETS.index(bucket_of(i, count)) for i in range(count)])
        return DocumentFeatures(
            document_id=document.document_id,
            states=torch.zeros(len(token_ids), 0, 1),
            token_ids=token_ids,
            chunk_index=chunk_index,
            day=days[chunk_index],
            bucket=buckets[chunk_index],
            chunks=count,
        )
