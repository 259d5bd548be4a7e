"""Features read straight from a teacher are those that its store would give."""

import pytest
import torch

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.records import Chunk, Document
from latentcomp.extract.read_documents import read_documents
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.describe import describe_document
from latentcomp.models.layers import resolve_layers

TEXTS = (
    "Ana moved.",
    "The code is 4711; it was 0815.",
    "Ana Bel moved to Corvo.",
    "Corvo!",
    "0815",
)


def documents(*texts):
    return [Document(f"d{i}", (Chunk(0, text, 3), Chunk(1, text))) for i, text in enumerate(texts)]


@pytest.fixture
def layers(lm):
    return resolve_layers([-2, -4], lm.identity.blocks)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_states_are_those_of_the_batches_that_the_teacher_reads(lm, layers, batch_size):
    given = documents(*TEXTS)
    expected = []
    for start in range(0, len(given), batch_size):
        batch = [describe_document(lm, document) for document in given[start : start + batch_size]]
        token_ids = [features.token_ids.tolist() for features in batch]
        expected += TransformersTeacher(lm).states(token_ids, layers)
    read = list(read_documents(lm, given, layers, batch_size))
    assert [features.document_id for features in read] == ["d0", "d1", "d2", "d3", "d4"]
    for features, h_TLD in zip(read, expected, strict=True):
        assert features.states.dtype == torch.bfloat16
        assert torch.equal(features.states, h_TLD.to(torch.bfloat16))


def test_tokens_and_chunks_are_those_of_the_described_document(lm, layers):
    given = documents(*TEXTS)
    for features, document in zip(read_documents(lm, given, layers, 2), given, strict=True):
        described = describe_document(lm, document)
        for name in ("token_ids", "chunk_index", "day", "bucket"):
            assert torch.equal(getattr(features, name), getattr(described, name)), name
        assert len(features.states) == len(features.token_ids)


def test_batches_are_read_when_they_are_needed(lm, layers):
    """A document that cannot be read fails when its batch is due, not before."""
    given = [*documents("Ana", "Bel"), Document("d2", (Chunk(0, ""),))]
    reading = read_documents(lm, given, layers, 2)
    assert [next(reading).document_id for _ in range(2)] == ["d0", "d1"]
    with pytest.raises(CorpusError, match="d2"):
        next(reading)


def test_no_documents_are_no_features(lm, layers):
    assert list(read_documents(lm, [], layers, 2)) == []
