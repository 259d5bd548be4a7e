"""The ledger at size: what did not change is not read or written again."""

import json
import threading

import pytest

from latentcomp.common.errors import StoreBusyError, StoreError
from latentcomp.common.lock import MUTEX
from latentcomp.store.format import ledger, seal
from latentcomp.store.format.layout import shard_files
from latentcomp.store.format.shard_table import FileRecord, ShardRecord, ShardTable
from latentcomp.store.places import remote_lock
from latentcomp.store.places.local import LocalPlace
from latentcomp.store.places.open import place_of
from latentcomp.store.places.remote import RemotePlace
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write import writer as writer_module
from latentcomp.store.write.committed import Committed
from latentcomp.store.write.writer import StoreWriter

from . import samples

LATER = samples.manifest(corpus_sha256="d" * 64)
MANY = tuple(30 + i % 9 for i in range(40))


def grow(path, lengths, stop_before=None):
    entries = samples.entries(lengths)
    with StoreWriter(path, LATER, entries, extend=True) as writer:
        for index in writer.pending():
            if index == stop_before:
                break
            writer.write(index, samples.states(index, lengths[index]))


class Counting(LocalPlace):
    """Counts what it is asked, by method."""

    def __init__(self, folder):
        super().__init__(folder)
        self.asked = dict.fromkeys(("read", "size", "listing", "write"), 0)

    def _count(self, method):
        self.asked[method] += 1

    def read(self, name):
        self._count("read")
        return super().read(name)

    def size(self, name):
        self._count("size")
        return super().size(name)

    def listing(self, folder):
        self._count("listing")
        return super().listing(folder)

    def write(self, name, parts):
        self._count("write")
        super().write(name, parts)


def test_an_append_writes_no_record_for_shards_that_were_there(tmp_path):
    """One document: the records of its shards, whatever the number of others."""
    path = tmp_path / "store"
    samples.write(path, MANY, samples.manifest())
    place = Counting(path)
    entries = samples.entries((*MANY, 20))
    with StoreWriter(place, LATER, entries, extend=True) as writer:
        (index,) = writer.pending()
        assert len(list((path / "ledger").glob("*.json"))) == 0
        writer.write(index, samples.states(index, 20))
    assert place.asked["write"] < 14  # the manifest, tables, arrays, the seal and what it stands on
    samples.write(tmp_path / "at_once", (*MANY, 20), LATER)
    assert samples.contents(path) == samples.contents(tmp_path / "at_once")


@pytest.mark.parametrize("old", [True, False], ids=["a file a shard", "the table of the seal"])
def test_a_store_that_grew_in_the_old_way_or_the_new_goes_on(tmp_path, old):
    """Before there was a table in the ledger folder, every shard had a record of its own there."""
    path, lengths = tmp_path / "store", (*MANY, 20, 90)
    samples.write(path, MANY)
    grow(path, lengths, stop_before=len(MANY))
    place = place_of(path)
    if old:
        records = ledger.committed(place)
        assert len(records) > 20
        (path / "ledger" / "base.parquet").unlink()
        (path / "ledger" / "base").unlink()
        assert len(ledger.committed(place)) < len(records)
        for record in records.values():
            ledger.write_sealed(place, ledger.record_name(record.shard), record)
    assert not verify(path).complete
    partial = FeatureStore(path, allow_partial=True)
    assert len(partial) >= len(MANY) - 2
    assert partial.statistics[0].rms > 0
    grow(path, lengths)
    samples.write(tmp_path / "at_once", lengths, LATER)
    assert samples.contents(path) == samples.contents(tmp_path / "at_once")


@pytest.mark.parametrize("name", ["base", "base.parquet"])
def test_a_damaged_table_in_the_ledger_folder_is_an_error(tmp_path, name):
    path = tmp_path / "store"
    samples.write(path, MANY)
    grow(path, (*MANY, 20), stop_before=len(MANY))
    file = path / "ledger" / name
    data = file.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    for changed in (data[:-1], flipped, b""):
        file.write_bytes(changed)
        with pytest.raises(StoreError):
            ledger.committed(place_of(path))
        with pytest.raises(StoreError):
            grow(path, (*MANY, 20))
        assert not verify(path).ok
    file.write_bytes(data)
    (path / "ledger" / "base.parquet").unlink()
    with pytest.raises(StoreError):
        ledger.committed(place_of(path))


def test_a_seal_whose_table_is_damaged_is_not_broken(tmp_path):
    path = tmp_path / "store"
    samples.write(path, MANY)
    table = path / "ledger.parquet"
    data = table.read_bytes()
    table.write_bytes(data[:60] + bytes([data[60] ^ 1]) + data[61:])
    with pytest.raises(StoreError, match=r"ledger\.parquet"):
        seal.break_seal(place_of(path))
    assert (path / "seal.json").exists()
    assert not (path / "ledger").exists()


def test_a_retracted_shard_counts_no_more_whoever_recorded_it(tmp_path):
    path = tmp_path / "store"
    samples.write(path, MANY)
    grow(path, (*MANY, 20), stop_before=len(MANY))
    place = place_of(path)
    known = ledger.Known()
    everything = set(ledger.committed(place, known))
    for shard in (3, max(everything)):
        record = ledger.committed(place)[shard]
        ledger.write_sealed(place, ledger.record_name(shard), record)
        ledger.retract(place, shard)
        everything -= {shard}
        assert set(ledger.committed(place)) == set(ledger.committed(place, known)) == everything


def test_a_second_look_reads_only_what_is_new(tmp_path):
    path = tmp_path / "store"
    samples.write(path, MANY, stop_before=20)
    place = Counting(path)
    look = Committed(place)
    first = dict(look.look())
    assert len(first) > 8
    assert place.asked == {"read": len(first), "size": 2, "listing": 4, "write": 0}
    samples.write(path, MANY, stop_before=30)
    second = look.look()
    fresh = len(second) - len(first)
    assert fresh > 2
    assert place.asked["read"] == len(second)
    assert place.asked["size"] == 4 + 3 * fresh  # is it sealed, before and after; few: one by one
    assert {shard: second[shard] for shard in first} == first
    look.look(max_age=60)
    assert place.asked["read"] == len(second)


def test_a_record_that_changed_is_read_again(tmp_path):
    path = tmp_path / "store"
    samples.write(path, MANY, stop_before=20)
    place, known = place_of(path), ledger.Known()
    record = ledger.committed(place, known)[2]
    shorter = record.model_copy(update={"tokens": record.tokens - 1})
    ledger.write_sealed(place, ledger.record_name(2), shorter)
    assert ledger.committed(place, known)[2] == shorter
    place.remove(ledger.record_name(2))
    assert 2 not in ledger.committed(place, known)


@pytest.mark.parametrize("change", ["another shard", "a file outside", "its text"])
def test_a_record_that_lies_is_an_error(tmp_path, change):
    path = tmp_path / "store"
    samples.write(path, MANY, stop_before=20)
    place = place_of(path)
    record, name = ledger.committed(place)[2], ledger.record_name(2)
    if change == "another shard":
        place.write(name, [place.read(ledger.record_name(3))])
    elif change == "a file outside":
        outside = record.files[0].model_copy(update={"path": "../../etc/passwd"})
        lying = record.model_copy(update={"files": (outside, *record.files[1:])})
        ledger.write_sealed(place, name, lying)
    else:
        content = json.loads(place.read(name))
        content["tokens"] += 1
        place.write(name, [json.dumps(content, indent=2).encode()])
    with pytest.raises(StoreError, match=r"000002\.json"):
        ledger.committed(place)


def test_a_table_takes_only_what_a_shard_can_have():
    table = ShardTable()
    names, digest = shard_files(7), "ab" * 32
    files = tuple(FileRecord(path=name, bytes=5, sha256=digest) for name in names)
    record = ShardRecord(shard=7, first_token=70, tokens=10, files=files)
    table[7] = record
    assert table == {7: record} and table.tokens(7) == 10 and table.sizes(7) == (5, 5, 5)
    for wrong in (
        {"shard": 8},
        {"tokens": -1},
        {"tokens": 2**70},
        {"files": files[:2]},
        {"files": (*files[:2], files[2].model_copy(update={"sha256": "ab"}))},
        {"files": (*files[:2], files[2].model_copy(update={"sha256": "x" * 64}))},
        {"files": (*files[:2], files[2].model_copy(update={"bytes": -5}))},
    ):
        with pytest.raises(ValueError, match="shard 7|hex"):
            table[7] = record.model_copy(update=wrong)


def test_the_table_of_more_shards_than_arrow_reads_in_one_piece(tmp_path):
    """At 43,691 shards a piece ends within the rows of one."""
    place, table = LocalPlace(tmp_path), ShardTable()
    for shard in range(50_000):
        table.put(shard, 16 * shard, 16, (1, 2, 3), ["ab" * 32, "cd" * 32, "ef" * 32])
    ledger.write_table(place, table)
    read = ledger.read_table(place)
    assert len(read) == 50_000 and list(read)[-1] == 49_999
    for shard in (0, 43_690, 43_691, 49_999):
        assert read[shard] == table[shard]


def hold_gate(place, seconds):
    """As a writer on another machine that prepares or seals the store for so long."""
    claim = {"name": "a writer", "pid": 1, "host": "elsewhere", "token": "theirs"}
    assert place.put_if(MUTEX, json.dumps(claim).encode(), None)
    timer = threading.Timer(seconds, place.remove, [MUTEX])
    timer.start()
    return timer


@pytest.mark.parametrize("waits", [30, 1])
def test_a_writer_that_has_committed_everything_waits_for_one_that_seals(monkeypatch, waits):
    """At an address the gate is asked for a minute; sealing a large store takes longer."""
    monkeypatch.setattr(remote_lock, "_MUTEX_TIMEOUT", 0.2)
    monkeypatch.setattr(writer_module, "_WAITS", waits)
    place = place_of(f"memory://gate{waits}")
    lengths = (20, 70)
    writer = StoreWriter(place, samples.manifest(), samples.entries(lengths))
    writer.__enter__()
    for index in writer.pending():
        writer.write(index, samples.states(index, lengths[index]))
    timer = hold_gate(place, 0.8)
    if waits == 1:
        with pytest.raises(StoreBusyError):
            writer.__exit__(None, None, None)
        timer.join()
        samples.write(place.path, lengths)
    else:
        writer.__exit__(None, None, None)
    assert verify(place).ok


def test_a_start_at_an_address_asks_by_pages_and_reads_each_record_once(tmp_path):
    samples.write("memory://start", MANY, stop_before=38)
    place = RemotePlace("memory://start")
    asked = {"read": 0, "size": 0}

    class Asked(RemotePlace):
        def read(self, name):
            asked["read"] += 1
            return super().read(name)

        def size(self, name):
            asked["size"] += 1
            return super().size(name)

    with StoreWriter(Asked("memory://start"), samples.manifest(), samples.entries(MANY)) as writer:
        assert writer.pending() == (38, 39) or writer.pending()[0] >= 36
    records = len(ledger.committed(place))
    assert records > 15
    assert asked["read"] <= records + 20 and asked["size"] <= 20
