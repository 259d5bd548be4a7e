"""A store that grew is the store that would have been written at once."""

from unittest.mock import Mock

import numpy as np
import pytest

from latentcomp.common import atomic
from latentcomp.common.errors import StoreError
from latentcomp.store.format.schema import DocumentEntry
from latentcomp.store.places import local
from latentcomp.store.read import reader
from latentcomp.store.read.document_table import DocumentTable
from latentcomp.store.read.entries import stored_entries
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write import session
from latentcomp.store.write.writer import StoreWriter

from . import samples

LATER = samples.manifest(corpus_sha256="d" * 64)
FIRST, ALL = samples.LENGTHS[:5], samples.LENGTHS


def extend(path, stop_before=None):
    """Extract again with all documents; returns those that had to be."""
    written = []
    entries = samples.entries(ALL)
    with StoreWriter(path, LATER, entries, extend=True) as writer:
        for index in writer.pending():
            if index == stop_before:
                break
            written.append(index)
            writer.write(index, samples.states(index, ALL[index]))
    return written


def read_what_is_there(path):
    """Every document that a reader sees of a store that grows is right; how many there are."""
    partial = FeatureStore(path, allow_partial=True)
    for index, name in enumerate(partial.document_ids):
        number = int(name.removeprefix("d"))
        found, entry = partial.read(index), samples.entries(ALL)[number]
        assert found.states.equal(samples.states(number, ALL[number]))
        assert found.token_ids.tolist() == np.asarray(entry.token_ids).tolist()
        assert partial.days(index) == entry.days
    return len(partial)


@pytest.fixture
def at_once(tmp_path):
    samples.write(tmp_path / "at_once", ALL, LATER)
    return samples.contents(tmp_path / "at_once")


def test_appending_extracts_only_the_new_and_gives_the_same_bytes(tmp_path, at_once):
    path = tmp_path / "store"
    samples.write(path, FIRST)
    assert extend(path) == [5, 6, 7]
    assert samples.contents(path) == at_once
    assert extend(path) == []
    assert samples.contents(path) == at_once


@pytest.mark.parametrize("stop_before", [5, 6, 7])
def test_an_interrupted_append_goes_on(tmp_path, at_once, stop_before):
    path = tmp_path / "store"
    samples.write(path, FIRST)
    extend(path, stop_before)
    assert not verify(path).complete
    read_what_is_there(path)
    assert 5 not in extend(path) or stop_before == 5 or ALL[5] > 64
    assert samples.contents(path) == at_once


# The first dozen are the manifest, Zarr's metadata and the two tables.
@pytest.mark.parametrize("step", [*range(1, 13), *range(13, 46, 3)])
def test_an_append_that_fails_at_any_write_goes_on(tmp_path, at_once, monkeypatch, step):
    path = tmp_path / "store"
    samples.write(path, FIRST)
    count = 0
    original = atomic.sync_folder

    def failing(folder):
        nonlocal count
        count += 1
        if count == step:
            raise KeyboardInterrupt
        original(folder)

    with monkeypatch.context() as patch:
        for module in (atomic, local):
            patch.setattr(module, "sync_folder", failing)
        try:
            extend(path)
        except KeyboardInterrupt:
            assert count >= step
    assert read_what_is_there(path) >= 2  # the others have tokens in the last, short shard
    extend(path)
    assert samples.contents(path) == at_once


def test_a_reader_that_opens_while_an_append_ends_sees_the_end(tmp_path, monkeypatch):
    path = tmp_path / "store"
    samples.write(path, FIRST)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(session, "parquet_parts", Mock(side_effect=KeyboardInterrupt))
        extend(path)
    assert read_what_is_there(path) == len(FIRST)
    tables = DocumentTable

    def opened_then_sealed(place, **named):
        monkeypatch.setattr(reader, "DocumentTable", tables)
        table = tables(place, **named)
        extend(path)
        return table

    monkeypatch.setattr(reader, "DocumentTable", opened_then_sealed)
    store = FeatureStore(path, allow_partial=True)
    assert store.complete
    assert len(store) == len(ALL)
    assert read_what_is_there(path) == len(ALL)


def test_growing_needs_permission_and_the_same_beginning(tmp_path):
    path = tmp_path / "store"
    samples.write(path, FIRST)
    before = samples.contents(path)
    with pytest.raises(StoreError, match="corpus_sha256"):
        StoreWriter(path, LATER, samples.entries(ALL))
    other = samples.entries((9, *ALL[1:]))
    with (
        pytest.raises(StoreError, match="of other documents"),
        StoreWriter(path, LATER, other, extend=True),
    ):
        pass
    with pytest.raises(StoreError, match="dtype"):
        StoreWriter(path, samples.manifest(dtype="float16"), samples.entries(ALL), extend=True)
    assert samples.contents(path) == before


def test_stored_entries_are_those_that_were_given(tmp_path):
    path = tmp_path / "store"
    given = samples.write(path)
    for old, new in zip(given, stored_entries(path), strict=True):
        assert new.document_id == old.document_id
        assert new.days == old.days
        assert new.question_ids == old.question_ids
        assert np.array_equal(new.token_ids, old.token_ids)
        assert np.array_equal(new.chunk_of_token, old.chunk_of_token)


def test_equal_documents_are_stored_and_extracted_once(tmp_path):
    path = tmp_path / "store"
    entries = samples.entries((20, 70, 30))
    first = entries[1]
    twin = DocumentEntry("twin", first.token_ids, [0] * 70, (7,))
    with StoreWriter(path, samples.manifest(), [*entries, twin, first_again(entries[0])]) as writer:
        assert writer.pending() == (0, 1, 2)
        for index in writer.pending():
            writer.write(index, samples.states(index, (20, 70, 30)[index]))
    assert verify(path).ok
    store = FeatureStore(path)
    assert len(store) == 5
    assert store.lengths.tolist() == [20, 70, 30, 70, 20]
    assert store.read(3).states.equal(samples.states(1, 70))
    assert store.read(3).day.tolist() == [7] * 70
    assert store.read(4).states.equal(samples.states(0, 20))


def first_again(entry):
    return DocumentEntry("again", entry.token_ids, entry.chunk_of_token, entry.days)
