"""An engine is told that a document is committed when it is, and not before."""

import numpy as np
import pytest
import torch

from latentcomp.extract.batches import plan_windows
from latentcomp.extract.releasing import (
    HoldingTeacher,
    max_uncommitted,
    max_uncommitted_tokens,
    stopping,
    write_function,
)
from latentcomp.store.format.schema import DocumentEntry, LayerRecord, Manifest, ModelIdentity
from latentcomp.store.write.pipeline import max_in_flight
from latentcomp.store.write.writer import StoreWriter

HIDDEN = 4
IDENTITY = ModelIdentity(
    name="fake",
    revision=None,
    architecture="Fake",
    blocks=2,
    hidden_size=HIDDEN,
    weights_sha256="w",
    tokenizer_sha256="t",
)


class Engine:
    """Notes what it is told."""

    identity = IDENTITY

    def __init__(self):
        self.calls, self.released = [], []

    def states(self, documents, layers):
        return [torch.ones(len(document), len(layers), HIDDEN) for document in documents]

    def hold(self):
        self.calls.append("hold")

    def release(self, documents):
        self.released.extend(documents)

    def close(self):
        self.calls.append("close")


class Reader:
    """A teacher that holds nothing."""

    identity = IDENTITY

    def states(self, documents, layers):
        return []


def documents_of(lengths):
    return [[7 * i + n + 1 for n in range(length)] for i, length in enumerate(lengths)]


def writer_of(folder, documents, shard_tokens=64):
    entries = [
        DocumentEntry(str(i), np.array(ids), np.zeros(len(ids), np.int64), (None,))
        for i, ids in enumerate(documents)
    ]
    manifest = Manifest(
        teacher=IDENTITY,
        layers=(LayerRecord(blocks_completed=1, post_norm=False),),
        dtype="float32",
        shard_tokens=shard_tokens,
        chunk_tokens=16,
        corpus_sha256="0",
        code_version="0",
    )
    return StoreWriter(folder, manifest, entries)


def test_what_is_released_is_committed_in_order(tmp_path):
    documents = documents_of([30, 50, 10, 80, 3, 64, 40, 40, 9, 100, 60, 20])
    engine = Engine()
    with writer_of(tmp_path / "store", documents) as writer:
        write = write_function(writer, engine, documents)
        assert engine.calls == ["hold"]
        for index, ids in enumerate(documents):
            write(index, torch.ones(len(ids), 1, HIDDEN))
            assert engine.released == documents[: len(engine.released)]
            left = set(writer.pending())
            assert left.isdisjoint(range(len(engine.released)))
        assert engine.released  # well before the end
    assert len(engine.released) < len(documents)  # the last shards: the engine stops anyway


def test_documents_that_were_there_already_are_released_too(tmp_path):
    """A neighbour of what is pending is read once more, and must not stay in the engine."""
    documents = documents_of([64, 64, 30, 34, 64, 64, 64, 64, 64, 64])
    path = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt), writer_of(path, documents) as writer:
        for index in range(4):
            writer.write(index, torch.ones(len(documents[index]), 1, HIDDEN))
        raise KeyboardInterrupt
    engine = Engine()
    with writer_of(path, documents) as writer:
        pending = writer.pending()
        assert 0 not in pending
        write = write_function(writer, engine, documents)
        for index in pending:
            write(index, torch.ones(len(documents[index]), 1, HIDDEN))
    assert engine.released[0] == documents[0]


def test_a_teacher_that_holds_nothing_is_left_alone(tmp_path):
    documents = documents_of([5])
    writer = writer_of(tmp_path / "store", documents)
    assert not isinstance(Reader(), HoldingTeacher)
    assert write_function(writer, Reader(), documents) == writer.write
    with stopping(Reader()):
        pass


def test_an_engine_is_stopped_however_it_ends():
    engine = Engine()
    with pytest.raises(KeyboardInterrupt), stopping(engine):
        raise KeyboardInterrupt
    assert engine.calls == ["close"]


def test_most_that_is_held():
    lengths = [100] * 50
    windows = list(plan_windows(lengths, 300, packed=True))
    uncommitted = max_uncommitted(lengths, windows, shard_tokens=200)
    # A window of 4 x 300, a batch of 300 ahead, shards of 200, two documents.
    assert uncommitted.tokens == 1200 + 300 + (max_in_flight() + 2) * 200 + 200
    assert uncommitted.documents == uncommitted.tokens // 100
    assert uncommitted.longest == 100
    assert max_uncommitted_tokens(300, 100, 200) >= uncommitted.tokens


def test_a_small_corpus_needs_no_more_than_itself():
    lengths = [10, 20, 30]
    uncommitted = max_uncommitted(lengths, list(plan_windows(lengths, 1000)), shard_tokens=8192)
    assert (uncommitted.tokens, uncommitted.documents, uncommitted.longest) == (60, 3, 30)
