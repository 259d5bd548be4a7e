"""Golden hashes of batches: a run begun with an older version resumes with the same bits."""

import hashlib

import numpy as np
import pytest
import torch

from latentcomp.corpus.files import write_corpus
from latentcomp.models.tokens import tokenize_document
from latentcomp.store.format.schema import Manifest
from latentcomp.store.write.writer import StoreWriter

from . import tiny

GOLDEN = {
    0: "fbf7854fa6f1c2e5f3b7f29b4c70c60828b25bf4065e96cd8bfef6ac170b02b2",
    5: "a52d11657c9cc39174f7e022a9f9e9918d8fab8b2aafc6cb7fdeb65bcc9f8b4f",
    23: "3812aed4576dab3424c873a0bf5804403d8374ff94814b328793a2d008bb0789",
}
"""SHA-256 of the tensors of a batch, by step."""


def digest(batch):
    """SHA-256 of the dtypes, shapes and bytes of the tensors that batches have always had."""
    seen = hashlib.sha256()
    states, questions = batch.states, batch.questions
    for tensor in (
        *(states.h_BTLD, states.mask_BT, states.chunk_BT, states.bucket_BT, states.day_BT),
        *(questions.ids_BS, questions.segment_BS, questions.offset_BS, questions.answer_BS),
        batch.token_ids_BT,
    ):
        seen.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
        seen.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return seen.hexdigest()


@pytest.fixture(scope="module")
def counted_run(lm, tmp_path_factory):
    """A run folder with integer states instead of computed ones, the same on every machine."""
    folder = tmp_path_factory.mktemp("counted")
    documents, stored = tiny.documents(9, chunks=2), tiny.layers(1, 3)
    corpus = write_corpus(folder / "corpus", documents, {"source": "test"})
    entries = [tokenize_document(lm, document) for document in documents]
    manifest = Manifest(
        teacher=lm.identity,
        layers=stored,
        dtype="bfloat16",
        corpus_sha256=corpus.sha256,
        code_version="1",
    )
    with StoreWriter(folder / "store", manifest, entries) as writer:
        for index in writer.pending():
            tokens = len(np.asarray(entries[index].token_ids))
            shape = (tokens, len(stored), tiny.HIDDEN)
            counted = torch.arange(torch.Size(shape).numel()).remainder(251) + index
            writer.write(index, counted.view(shape).to(torch.bfloat16))
    return folder


def test_batch_bits_match_the_golden_hashes(counted_run, lm):
    source = tiny.store_batches(counted_run, lm, batch_size=3, seed=7, rank=1, world=2)
    assert {step: digest(source.at(step)) for step in GOLDEN} == GOLDEN
