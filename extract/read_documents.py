"""Features of documents directly from a teacher, without a store.

Evaluation receives `read_documents` as an argument, so it does not import this stage.
"""

from collections.abc import Iterator, Sequence

from ..corpus.records import Document
from ..models.describe import describe_document, with_states
from ..models.loading import CausalLM
from ..store.format.schema import LayerRecord
from ..store.read.features import DocumentFeatures
from .teachers.transformers_teacher import TransformersTeacher


def read_documents(
    teacher: CausalLM,
    documents: Sequence[Document],
    layers: Sequence[LayerRecord],
    batch_size: int,
) -> Iterator[DocumentFeatures]:
    """The documents in order, with their states [T, L, D] in bfloat16 on the CPU.

    Lazy: one batch of documents is in memory at a time. Batches are padded, and which documents
    share one shows in the last bits of the states.

    Args:
        teacher: loaded, and read in the precision that it was loaded with.
        documents: none empty, none longer than the teacher can read.
        layers: read in this order.
        batch_size: documents that the teacher reads at once, at least 1.

    Raises:
        CorpusError: a document is empty or longer than the teacher can read.
        TeacherError: the blocks of this architecture are not known, or a batch does not fit into
            the memory of the device.
    """
    reader = TransformersTeacher(teacher)
    for start in range(0, len(documents), batch_size):
        batch = documents[start : start + batch_size]
        features = [describe_document(teacher, document) for document in batch]
        states = reader.states([one.token_ids.tolist() for one in features], layers)
        for one, h_TLD in zip(features, states, strict=True):
            yield with_states(one, h_TLD)
