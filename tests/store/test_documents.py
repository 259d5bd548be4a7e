"""The documents of a store that is to be written: what was given, out of memory, placed once."""

import itertools
import tracemalloc

import numpy as np
import pytest

from latentcomp.common import spool
from latentcomp.common.errors import StoreError
from latentcomp.common.index_set import IndexSet
from latentcomp.extract.token_lists import TokenLists
from latentcomp.store.format import documents as documents_module
from latentcomp.store.format.documents import Documents
from latentcomp.store.format.entry import check_entry
from latentcomp.store.format.placement import place_documents, tokens_between
from latentcomp.store.format.schema import DocumentEntry
from latentcomp.store.write.writer import StoreWriter

from . import samples


def some(count, seed=0):
    """Documents of which many have the tokens of an earlier one, and ids of all kinds."""
    rng = np.random.default_rng(seed)
    kinds = [samples.entry("", int(rng.integers(1, 50)), i) for i in range(count // 2 + 1)]
    for number in range(count):
        kind = kinds[rng.integers(len(kinds))]
        questions = tuple(f"q{i}\n\u2028" for i in range(number % 3))
        name = f'd{number} "ü\x00{"x" * (number % 7)}'
        yield DocumentEntry(name, kind.token_ids, kind.chunk_of_token, kind.days, questions)


@pytest.mark.parametrize("in_memory", [0, 300, 2**26])
def test_documents_come_back_as_they_were_given(monkeypatch, in_memory):
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    monkeypatch.setattr(spool, "_BUFFER", 100)
    given = [check_entry(entry) for entry in some(40)]
    kept = Documents(iter(given))
    assert len(kept) == 40 and kept.chunks == sum(len(entry.days) for entry in given)
    assert kept.lengths.tolist() == [len(entry.token_ids) for entry in given]
    for index in (*range(40), 0, 39, 7):
        entry, wanted = kept[index], given[index]
        assert entry.document_id == wanted.document_id
        assert entry.question_ids == wanted.question_ids and entry.days == wanted.days
        assert entry.spans.tolist() == wanted.spans.tolist()
        assert entry.token_ids.tolist() == wanted.token_ids.tolist()
        assert entry.token_ids.dtype == np.int64
        assert kept.tokens_sha256(index) == wanted.tokens_sha256 == entry.tokens_sha256
        assert TokenLists(kept)[index] == wanted.token_ids.tolist()
    assert TokenLists(kept)[3:6] == [entry.token_ids.tolist() for entry in given[3:6]]
    with pytest.raises(IndexError):
        kept[40]
    with pytest.raises(IndexError):
        TokenLists(kept)[40]


def test_documents_do_not_stay_in_memory(monkeypatch):
    monkeypatch.setattr(spool, "IN_MEMORY", 2**16)
    monkeypatch.setattr(spool, "_BUFFER", 2**12)
    entry = samples.entry("", 2000, 0)
    tracemalloc.start()
    kept = Documents(
        DocumentEntry(f"d{i}", entry.token_ids, entry.chunk_of_token, entry.days)
        for i in range(2000)
    )
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept.lengths.sum() == 4_000_000  # 16 MB of ids
    assert held < 2000 * 150 and most < 2**20


def test_a_full_disk_of_temporary_files_is_one_line(monkeypatch):
    monkeypatch.setattr(spool, "IN_MEMORY", 10)

    def full(**named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(StoreError, match="TMPDIR.*the disk is full"):
        Documents(some(3))


@pytest.mark.parametrize("collide", [False, True])
def test_two_documents_with_one_id_are_found_and_others_are_not(monkeypatch, collide):
    if collide:
        monkeypatch.setattr(documents_module, "_name_hash", lambda name: 7)
    Documents(some(20))
    twice = [*some(20), *itertools.islice(some(20), 5, 7)]
    with pytest.raises(StoreError, match="two documents are called 'd5"):
        Documents(twice)


@pytest.mark.parametrize(("name", "question"), [("d\ud800", "q"), ("d", "q\udfff")])
def test_an_id_that_is_no_unicode_is_one_line(name, question):
    one = samples.entry("", 5, 0)
    with pytest.raises(StoreError, match="rename it"):
        Documents([DocumentEntry(name, one.token_ids, one.chunk_of_token, one.days, (question,))])


def test_equal_documents_share_the_place_of_the_first():
    """Against the loop over documents that was there before."""
    kept = Documents(some(60, seed=3))
    placed = place_documents(kept, 64)
    first_tokens: dict[str, int] = {}
    end, own = 0, []
    for index in range(60):
        start = first_tokens.setdefault(kept.tokens_sha256(index), end)
        assert placed.starts[index] == start
        assert placed.stops[index] == start + kept.lengths[index]
        if start == end:
            own.append(index)
            end += int(kept.lengths[index])
    assert placed.own.tolist() == own and placed.tokens == end
    whole = np.concatenate([kept.token_ids(index) for index in own])
    for start in range(0, end, 64):
        stop = min(end, start + 64)
        assert tokens_between(kept, placed, start, stop).tolist() == whole[start:stop].tolist()
    for token in range(0, end, 5):
        index = placed.own_index(token)
        assert index in own and placed.starts[index] <= token < placed.stops[index]


def test_the_token_ids_of_a_shard_take_its_own_documents_only(monkeypatch):
    looked = []
    read = Documents.token_ids

    def counted(documents, index):
        looked.append(index)
        return read(documents, index)

    monkeypatch.setattr(Documents, "token_ids", counted)
    for count in (64, 128):
        kept = Documents(samples.entries([16] * count))
        placed = place_documents(kept, 64)
        looked.clear()
        for start in range(0, placed.tokens, 64):
            tokens_between(kept, placed, start, start + 64)
        assert len(looked) == count


@pytest.mark.parametrize(("rank", "world"), [(0, 1), (0, 3), (1, 3), (2, 3)])
def test_the_first_pending_document_is_the_first_of_all_pending(tmp_path, rank, world):
    entries = list(some(60, seed=5))
    kept = Documents(entries)
    with StoreWriter(tmp_path / "store", samples.manifest(), kept, rank=rank, world=world) as own:
        while True:
            pending = own.pending()
            assert tuple(own.pending_set()) == pending
            assert own.first_pending() == (pending[0] if pending else len(kept))
            if not pending:
                break
            for shard in np.flatnonzero(own._committed == 0):
                if shard in own._shards:
                    own._committed[shard] = own._layout.states.shard_length(int(shard))
                    break


def test_an_index_set_is_a_set():
    small = IndexSet(10, np.array([7, 2, 2]))
    assert list(small) == [2, 7] and len(small) == 2
    assert 2 in small and 3 not in small and -3 not in small and 70 not in small
    assert small.isdisjoint((1, 3)) and not small.isdisjoint((1, 7))
    assert not IndexSet(10, np.array([], np.int64))
    assert small | {3} == {2, 3, 7}
