"""A store from Python: the same states as the reader's, named as on the command line."""

import numpy as np
import pytest
import torch

from latentcomp.api import LatentcompError, Store
from latentcomp.store.read.reader import FeatureStore

from ..train import tiny


@pytest.fixture(scope="module")
def store(run):
    return Store.open(run / "store")


def test_a_run_folder_will_do_and_so_will_an_address(run, store):
    for path in (run, str(run), f"file://{run}/store"):
        assert Store.open(path).document_ids == store.document_ids


def test_documents_by_number_id_slice_and_in_order(store):
    names = [one.id for one in store]
    assert len(store) == len(names) == 3
    assert names == [one.document_id for one in tiny.documents(3)]
    assert store[-1].id == store[names[-1]].id == names[-1]
    assert [one.id for one in store[1:]] == names[1:]
    assert names[0] in store and "nothing" not in store


@pytest.mark.parametrize("key", [3, -4])
def test_a_number_that_is_not_there(store, key):
    with pytest.raises(IndexError, match=f"document {key} of 3"):
        store[key]


def test_an_id_that_is_not_there(store):
    with pytest.raises(LatentcompError, match="no document 'nothing' among 3; the first is"):
        store["nothing"]


def test_layers_are_those_of_the_command_line(store):
    """Stored after 1 and after 3 of 4 blocks, which is `hidden_states[-4]` and `[-2]`."""
    assert store.layers == (-4, -2)
    raw = FeatureStore(store.features.path).read(1)
    for column, layer in enumerate(store.layers):
        assert torch.equal(store[1].torch(layer), raw.states[:, column])
    assert torch.equal(store[1].torch(), raw.states)
    assert torch.equal(store[1].token_ids, raw.token_ids)
    assert torch.equal(store[1].chunk_of_token, raw.chunk_index)
    assert store[1].tokens == len(raw.token_ids)


def test_numpy_has_the_same_numbers(store):
    states = store[0].numpy(-2)
    assert states.dtype == np.float32
    assert np.array_equal(states, store[0].torch(-2).float().numpy())


@pytest.mark.parametrize("layer", [-1, -3, 3, 43, -60, 0])
def test_a_layer_that_is_not_stored(store, layer):
    with pytest.raises(LatentcompError, match=f"layer {layer} is not in this store; it has -4, -2"):
        store[0].torch(layer)


def test_no_store(tmp_path):
    with pytest.raises(LatentcompError, match="no feature store here"):
        Store.open(tmp_path)


def test_days_are_those_of_the_documents(store):
    wanted = [tuple(chunk.day for chunk in one.chunks) for one in tiny.documents(3)]
    assert [one.days for one in store] == wanted


def test_it_says_what_it_is(store):
    assert "3 documents" in repr(store) and "layers -4, -2" in repr(store)
