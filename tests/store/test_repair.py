"""A damaged store becomes an unfinished one; its writer finishes it to the bytes that it had."""

import shutil

import pytest

from latentcomp import cli
from latentcomp.common.errors import StoreError
from latentcomp.store.format import ledger
from latentcomp.store.places.open import place_of
from latentcomp.store.tools import repair as repairing
from latentcomp.store.tools.repair import reopen
from latentcomp.store.tools.verify import verify

from . import samples


@pytest.fixture
def store(tmp_path):
    samples.write(tmp_path / "store")
    return tmp_path / "store"


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


def repair(store, capsys):
    """Exit code of the command, and the line of an error."""
    code = cli.run(["store", "repair", "--run", str(store)])
    return code, capsys.readouterr().err


def test_a_sound_store_is_left_alone(store, capsys):
    before = samples.contents(store)
    assert reopen(store).sealed
    assert repair(store, capsys) == (0, "")
    assert samples.contents(store) == before


@pytest.mark.parametrize("codec", ["raw", "split-zstd", "int8"])
@pytest.mark.parametrize("damaged", ["states/c.1.0.0", "token_ids/c.3", "statistics/c.5.0.0.0"])
def test_only_what_is_damaged_is_written_again(tmp_path, damaged, codec):
    path, made = tmp_path / "store", samples.manifest(codec=codec)
    samples.write(path, made=made)
    before = samples.contents(path)
    flip(path / damaged)
    reopened = reopen(path)
    assert [problem.path for problem in reopened.problems] == [damaged]
    assert reopened.kept == len([name for name in before if name.startswith("states/c")]) - 1
    written = []
    samples.write(path, made=made, each=lambda: written.append(1))
    assert len(written) <= 3
    assert samples.contents(path) == before


@pytest.mark.parametrize("lost", ["seal.json", "ledger.parquet"])
@pytest.mark.parametrize("how", ["missing", "emptied"])
def test_a_store_without_a_corpus_is_sealed_again(store, capsys, lost, how):
    """One that was merged: nothing of its states is missing."""
    before = samples.contents(store)
    (store / lost).unlink()
    if how == "emptied":
        (store / lost).write_bytes(b"")
    assert repair(store, capsys) == (0, "")
    assert samples.contents(store) == before


def test_a_merged_store_that_lost_a_shard_is_finished_by_the_same_merge(store, tmp_path, capsys):
    merge = ["store", "merge", str(store), "--out", str(tmp_path / "merged")]
    assert cli.run(merge) == 0
    before = samples.contents(tmp_path / "merged")
    (tmp_path / "merged" / "states" / "c.2.0.0").unlink()
    assert cli.run(merge) == 2
    assert "store repair --run" in capsys.readouterr().err
    code, error = repair(tmp_path / "merged", capsys)
    assert code == 2 and "`store merge` with the same sources" in error
    assert cli.run(merge) == 0
    assert samples.contents(tmp_path / "merged") == before


def test_a_seal_and_a_ledger_that_are_both_lost_leave_nothing_that_counts(store):
    before = samples.contents(store)
    for name in ("seal.json", "ledger.parquet"):
        (store / name).write_bytes(b"")
    assert reopen(store).kept == 0
    samples.write(store)
    assert samples.contents(store) == before


@pytest.mark.parametrize("step", range(6))
def test_a_repair_that_is_interrupted_is_repeated(store, monkeypatch, step):
    before = samples.contents(store)
    flip(store / "states" / "c.1.0.0")
    flip(store / "states" / "c.4.0.0")
    count = 0

    def interrupt(original):
        def wrapper(*arguments, **named):
            nonlocal count
            count += 1
            if count > step:
                raise KeyboardInterrupt
            return original(*arguments, **named)

        return wrapper

    with monkeypatch.context() as patch:
        for name in ("keep_as_base", "retract", "write_sealed"):
            patch.setattr(ledger, name, interrupt(getattr(ledger, name)))
        try:
            reopen(store)
        except KeyboardInterrupt:
            assert count > step
    reopen(store)
    samples.write(store)
    assert samples.contents(store) == before
    assert verify(store).ok


def test_at_an_address_too():
    address = "memory://repair"
    samples.write(address)
    place = place_of(address)
    before = {name: place.read(name) for name in place.names()}
    place.write("states/c.1.0.0", [before["states/c.1.0.0"][:-9]])
    place.remove("token_ids/c.2")
    assert len(reopen(address).problems) == 2
    samples.write(address)
    assert {name: place.read(name) for name in place.names()} == before
    place.write("seal.json", [b""])
    assert not reopen(address).sealed
    assert repairing.seal_again(address)
    assert {name: place.read(name) for name in place.names()} == before


def test_beside_a_writer_it_is_refused(store):
    lock = place_of(store).lock("a writer", None)
    with pytest.raises(StoreError, match="a writer .pid"):
        reopen(store)
    lock.release()
    assert reopen(store).sealed


def test_without_a_manifest_there_is_no_repair(store, capsys, tmp_path):
    shutil.copytree(store, tmp_path / "other")
    (store / "manifest.json").write_bytes(b"")
    code, error = repair(store, capsys)
    assert code == 2 and "manifest.json: damaged" in error
    assert "put it back from a copy, or extract into another --run" in error
    shutil.copy(tmp_path / "other" / "manifest.json", store / "manifest.json")
    assert repair(store, capsys) == (0, "")
