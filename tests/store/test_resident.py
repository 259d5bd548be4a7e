"""The whole store in one tensor."""

import pytest
import torch

from latentcomp.common.errors import StoreError
from latentcomp.store.format.schema import DocumentEntry
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.read.resident import load_resident, resident_bytes
from latentcomp.store.write.writer import StoreWriter

from . import samples


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("resident") / "store"
    entries = samples.entries(samples.LENGTHS)
    twin = DocumentEntry("twin", entries[1].token_ids, entries[1].chunk_of_token, entries[1].days)
    with StoreWriter(path, samples.manifest(), [*entries, twin]) as writer:
        for index in writer.pending():
            writer.write(index, samples.states(index, samples.LENGTHS[index]))
    return FeatureStore(path)


@pytest.mark.parametrize("layers", [None, [43], [31, 19]])
def test_resident_documents_are_those_of_the_store(store, layers):
    resident = load_resident(store, layers)
    assert resident.states.nbytes == resident_bytes(store, layers)
    for index in range(len(store)):
        assert resident.document(index).equal(store.read(index, layers).states)
    assert resident.document(8).data_ptr() == resident.document(1).data_ptr()


def test_any_stretch_of_tokens_is_read(store):
    whole = torch.cat([samples.states(i, n) for i, n in enumerate(samples.LENGTHS)])
    for start, stop in ((0, 1), (63, 65), (10, 300), (0, store.tokens)):
        assert store.read_tokens(start, stop).equal(whole[start:stop])
    for start, stop in ((-1, 1), (5, 5), (0, store.tokens + 1)):
        with pytest.raises(IndexError, match="tokens"):
            store.read_tokens(start, stop)


def test_what_cannot_be_resident_says_so(store, tmp_path, monkeypatch):
    samples.write(tmp_path / "partial", stop_before=6)
    with pytest.raises(StoreError, match="not finished"):
        load_resident(FeatureStore(tmp_path / "partial", allow_partial=True))

    def full(*shape: object, **options: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(StoreError, match="0.0 GB of states do not fit on cpu: stream them"):
        load_resident(store)
