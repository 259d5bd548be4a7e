"""A verification that was interrupted goes on, and checks again whatever changed meanwhile."""

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from latentcomp.cli import app
from latentcomp.store.format import ledger, seal
from latentcomp.store.places.local import LocalPlace
from latentcomp.store.places.open import place_of
from latentcomp.store.tools import verify_journal
from latentcomp.store.tools.verify import verify

from . import samples

LENGTHS = (200, 150, 100, 190)


class Opened(LocalPlace):
    """Keeps the names of the files of states that were opened."""

    def __init__(self, folder):
        super().__init__(folder)
        self.names_opened = []

    def open(self, name):
        if name.startswith("states/c."):
            self.names_opened.append(name)
        return super().open(name)

    @property
    def shards(self):
        return sorted(int(name.split(".")[1]) for name in self.names_opened)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(verify_journal, "SETTLED", 0.0)
    samples.write(tmp_path / "store", LENGTHS)
    return tmp_path / "store"


def interrupt(store, after, **options):
    """Verify, until so many shards are done."""

    def stop(done, of):
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(store, stop, threads=1, **options)


def journals(store):
    return list((store.parent / "cache").rglob("*.txt"))


def again(store, **options):
    """Which shards the next verification reads, and its report."""
    place = Opened(store)
    report = verify(place, threads=2, **options)
    return place.shards, report


def test_what_an_interrupted_run_checked_is_not_checked_again(store):
    interrupt(store, 4)
    read, report = again(store)
    assert read == list(range(4, 10)) and report.ok and report.earlier == 4
    assert journals(store) == []
    read, report = again(store)  # one that ended leaves nothing: the next one checks everything
    assert read == list(range(10)) and report.ok and report.earlier == 0


def test_several_interruptions_add_up(store):
    interrupt(store, 2)
    interrupt(store, 5)
    interrupt(store, 3)
    read, report = again(store)
    assert read == list(range(5, 10)) and report.earlier == 5


def test_one_that_shall_not_go_on_begins_again(store):
    interrupt(store, 4)
    read, report = again(store, resume=False)
    assert read == list(range(10)) and report.earlier == 0


def test_progress_counts_all_shards(store):
    interrupt(store, 4)
    steps = []
    assert verify(store, lambda done, of: steps.append((done, of))).ok
    assert steps == [(i + 1, 10) for i in range(10)]


@pytest.mark.parametrize("restore_times", [False, True])
def test_a_file_that_changed_is_checked_again(store, restore_times):
    """A bit flipped in place, its size and even its time of change as before."""
    interrupt(store, 6)
    file = store / "states" / "c.2.0.0"
    before = file.stat()
    with file.open("r+b") as opened:
        opened.seek(200)
        byte = opened.read(1)[0]
        opened.seek(200)
        opened.write(bytes([byte ^ 1]))
    if restore_times:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    read, report = again(store)
    assert read == [2, *range(6, 10)]
    assert [problem.path for problem in report.problems] == ["states/c.2.0.0"]


def test_a_file_that_was_replaced_by_its_like_is_checked_again(store):
    interrupt(store, 6)
    file = store / "states" / "c.3.0.0"
    copy = Path(shutil.copy2(file, store.parent / "copy"))
    copy.replace(file)
    read, report = again(store)
    assert read == [3, *range(6, 10)] and report.ok and report.earlier == 5


@pytest.mark.parametrize("folder", ["token_ids/c.2", "statistics/c.2.0.0.0"])
def test_ids_and_statistics_are_read_every_time(store, folder):
    interrupt(store, 6)
    file = store / folder
    data = file.read_bytes()
    file.write_bytes(data[:70] + bytes([data[70] ^ 1]) + data[71:])
    assert [problem.path for problem in again(store)[1].problems] == [folder]


def test_a_ledger_that_says_something_else_of_a_shard_has_it_checked_again(store):
    interrupt(store, 6)
    place = place_of(store)
    records = ledger.read_table(place)
    states = records[1].files[0].model_copy(update={"sha256": "0" * 64})
    files = (states, *records[1].files[1:])
    records[1] = records[1].model_copy(update={"files": files})
    ledger.write_table(place, records)
    old = seal.read_seal(place)
    fixed = tuple(ledger.fingerprint(place, file.path) for file in old.files)
    ledger.write_sealed(place, "seal.json", old.model_copy(update={"files": fixed}))
    read, report = again(store)
    assert read == [1, *range(6, 10)]
    assert "fingerprint" in report.problems[0].message


def test_a_shard_with_a_problem_is_checked_again(store):
    file = store / "states" / "c.2.0.0"
    whole = file.read_bytes()
    file.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    interrupt(store, 6)
    read, report = again(store)
    assert read == [2, *range(6, 10)] and not report.ok


def test_another_store_in_the_place_is_checked_as_a_whole(store):
    interrupt(store, 6)
    shutil.rmtree(store)
    samples.write(store, LENGTHS, samples.manifest(corpus_sha256="e" * 64))
    assert again(store)[0] == list(range(10))


def test_a_file_that_was_just_written_is_not_taken_for_settled(store, monkeypatch):
    """It could change once more and show the same time."""
    monkeypatch.setattr(verify_journal, "SETTLED", 60.0)
    interrupt(store, 6)
    assert again(store)[0] == list(range(10))


@pytest.mark.parametrize("damage", ["torn", "flipped", "garbage", "another version", "binary"])
def test_a_damaged_journal_costs_only_the_lines_that_are_damaged(store, damage):
    interrupt(store, 6)
    (journal,) = journals(store)
    data = journal.read_bytes()
    lines = data.decode().splitlines(keepends=True)
    if damage == "torn":
        journal.write_bytes(data[:-20])
        expected = [5, *range(6, 10)]
    elif damage == "flipped":
        flip = lines[4].replace(lines[4][10], "0" if lines[4][10] != "0" else "1", 1)
        journal.write_text("".join([*lines[:4], flip, *lines[5:]]))
        expected = [int(lines[4].split()[0]), *range(6, 10)]
    elif damage == "garbage":
        journal.write_text("".join([*lines[:3], "x y z\n\n \n1 2\n", *lines[3:]]))
        expected = list(range(6, 10))
    elif damage == "another version":
        journal.write_text("".join(lines).replace("verify 1", "verify 2"))
        expected = list(range(10))
    else:
        journal.write_bytes(os.urandom(5000))
        expected = list(range(10))
    read, report = again(store)
    assert read == expected and report.ok


def test_a_torn_end_does_not_swallow_what_is_added(store):
    interrupt(store, 4)
    (journal,) = journals(store)
    journal.write_bytes(journal.read_bytes()[:-20])
    interrupt(store, 7)
    assert again(store)[0] == [7, 8, 9]


def test_an_old_journal_counts_no_longer(store):
    interrupt(store, 6)
    (journal,) = journals(store)
    os.utime(journal, (0, 0))
    assert again(store)[0] == list(range(10))


def test_a_cache_folder_that_cannot_be_written_costs_only_the_resuming(store):
    (store.parent / "cache").write_text("a file in the way")
    interrupt(store, 6)
    read, report = again(store)
    assert read == list(range(10)) and report.ok


def test_an_unfinished_store_is_resumed_too(store, tmp_path):
    samples.write(tmp_path / "part", LENGTHS, stop_before=3)
    interrupt(tmp_path / "part", 3)
    read, report = again(tmp_path / "part")
    assert read == [3, 4, 5, 6] and report.earlier == 3 and not report.complete


def die_after(store: Path, shards: int) -> None:
    verify_journal.SETTLED = verify_journal.EVERY = 0.0

    def stop(done: int, of: int) -> None:
        if done == shards:
            os.kill(os.getpid(), signal.SIGKILL)

    verify(store, stop, threads=1)


def test_a_killed_run_is_gone_on_with(store):
    child = multiprocessing.get_context("fork").Process(target=die_after, args=(store, 7))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    read, report = again(store)
    assert report.ok and report.earlier == 7 and read == [7, 8, 9]


@pytest.mark.parametrize("codec", ["raw", "split-zstd", "int8"])
def test_threads_find_what_one_finds(tmp_path, codec):
    path = tmp_path / "store"
    samples.write(path, LENGTHS, samples.manifest(codec=codec))
    for shard in (1, 4, 9):
        file = path / "states" / f"c.{shard}.0.0"
        data = file.read_bytes()
        file.write_bytes(data[:100] + bytes([data[100] ^ 4]) + data[101:])
    (path / "token_ids" / "c.6").unlink()
    reports = [verify(path, threads=threads) for threads in (1, 2, 5)]
    assert reports[0] == reports[1] == reports[2]
    found = [problem.path for problem in reports[0].problems]
    assert found == ["states/c.1.0.0", "states/c.4.0.0", "token_ids/c.6", "states/c.9.0.0"]


def test_the_command_says_what_an_interrupted_run_did(store):
    runner = CliRunner()
    interrupt(store, 4)
    done = runner.invoke(app, ["store", "verify", "--run", str(store)])
    assert done.exit_code == 0
    assert "the states of 4 shards were checked by a run that was interrupted" in " ".join(
        done.output.split()
    )
    interrupt(store, 4)
    whole = runner.invoke(app, ["store", "verify", "--run", str(store), "--from-start"])
    assert whole.exit_code == 0
    assert "interrupted" not in whole.output
