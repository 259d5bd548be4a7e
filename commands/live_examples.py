"""Documents and questions of a live training, as its worker processes make them.

A file of its own: each of these processes imports it, and waits for what it imports.
"""

from dataclasses import dataclass

from ..corpus.live import LiveCorpus
from ..models.describe import describe_document
from ..models.loading import TextSide
from ..reasoner.packing import encode_questions
from ..train.batches import Example


@dataclass(frozen=True, slots=True)
class LiveExamples:
    """Documents without states for the worker processes, which pickle it."""

    corpus: LiveCorpus
    reader: TextSide
    reasoner: TextSide

    def __call__(self, first: int, count: int) -> list[Example]:
        documents = (self.corpus.document(index) for index in range(first, first + count))
        return [
            Example(
                describe_document(self.reader, document),
                encode_questions(self.reasoner, document.training_questions),
            )
            for document in documents
        ]
