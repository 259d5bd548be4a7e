"""Streams: every document once an epoch, the same however it is read, resumed anywhere."""

import itertools
import multiprocessing

import pytest
from torch.utils.data import DataLoader

from latentcomp.errors import StoreError
from latentcomp.store.reader import FeatureStore
from latentcomp.store.stream import DocumentStream

from . import samples


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("stream") / "store"
    samples.write(path)
    return FeatureStore(path)


def indices(store, take=None, **options):
    stream = DocumentStream(store, seed=3, **options)
    return [(item.epoch, item.index) for item in itertools.islice(stream, take)]


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_share_every_epoch_out(store, world, shuffle):
    options = {"world": world, "epochs": 2, "shuffle": shuffle}
    seen = [item for rank in range(world) for item in indices(store, rank=rank, **options)]
    assert sorted(seen) == [(epoch, i) for epoch in range(2) for i in range(len(store))]


def test_the_order_is_that_of_the_store_for_the_epoch(store):
    expected = [(e, int(i)) for e in range(3) for i in store.order(3, e)]
    assert indices(store, take=24) == expected
    assert indices(store, take=8, shuffle=False) == [(0, i) for i in range(8)]


@pytest.mark.parametrize("ahead", [0, 1, 8])
def test_it_goes_on_exactly_where_it_was_left(store, ahead):
    whole = indices(store, take=20, rank=1, world=2)
    for position in (0, 3, 4, 11):
        rest = indices(store, take=20 - position, rank=1, world=2, position=position, ahead=ahead)
        assert rest == whole[position:]


def test_items_are_what_the_store_reads(store):
    for item in DocumentStream(store, seed=0, layers=[31], epochs=1, position=2):
        expected = store.read(item.index, [31])
        assert item.features.document_id == expected.document_id
        assert item.features.states.equal(expected.states)


def unwrap(items):
    return items[0]


def test_workers_do_not_change_the_order(store):
    stream = DocumentStream(store, seed=3, epochs=2, position=1)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["latentcomp.store.stream"])
    loader = DataLoader(
        stream,
        batch_size=1,
        num_workers=2,
        multiprocessing_context=context,
        collate_fn=unwrap,
    )
    seen = [(item.position, item.epoch, item.index) for item in loader]
    assert [position for position, _, _ in seen] == list(range(1, 16))
    assert [(epoch, index) for _, epoch, index in seen] == indices(store, epochs=2, position=1)


def test_damage_surfaces_where_the_document_is_asked_for(tmp_path):
    samples.write(tmp_path)
    (tmp_path / "states" / "c.4.0.0").unlink()
    stream = iter(DocumentStream(FeatureStore(tmp_path), seed=0, shuffle=False))
    read = list(itertools.islice(stream, 5))
    assert [item.index for item in read] == [0, 1, 2, 3, 4]
    with pytest.raises(StoreError, match="'d5', layer after 19 blocks, shard 4: No such file"):
        next(stream)


def test_more_ranks_than_documents_are_a_programmer_error(store):
    with pytest.raises(ValueError, match="rank 0 of 9 for 8 documents"):
        DocumentStream(store, seed=0, world=9)
