"""One writer at a time, or several that share the shards out."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from latentcomp.common.errors import StoreError
from latentcomp.common.lock import Lock
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from ..processes import CONTEXT
from . import samples

HOLD = """
import sys, time
from pathlib import Path
from latentcomp.common.lock import Lock
part = range(*map(int, sys.argv[2:4])) if sys.argv[2:] else None
lock = Lock(Path(sys.argv[1]), "someone else", part)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def hold(tmp_path):
    """Starts processes that hold locks of tmp_path."""
    processes = []

    def start(*part: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, str(tmp_path), *map(str, part)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_second_writer_is_refused_by_name_and_pid(tmp_path, hold):
    holder = hold()
    with (
        pytest.raises(StoreError, match=f"someone else .pid {holder.pid} on ") as error,
        StoreWriter(tmp_path, samples.manifest(), samples.entries((5,))),
    ):
        pass
    assert "\n" not in str(error.value)


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, hold):
    holder = hold()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".lock").exists()
    samples.write(tmp_path)
    assert not (tmp_path / ".lock").exists()


def test_a_dead_owner_does_not_block_through_a_child_that_it_forked(tmp_path):
    script = HOLD.replace("time.sleep(60)", "import os\nif os.fork() == 0: time.sleep(3)")
    command = [sys.executable, "-c", script, str(tmp_path)]
    subprocess.Popen(command, stdout=subprocess.DEVNULL).wait()
    with Lock(tmp_path, "me"):
        assert f'"pid": {os.getpid()}' in (tmp_path / ".lock").read_text()


def test_the_lock_is_gone_at_the_end_even_of_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError), Lock(tmp_path, "me") as lock:
        raise ZeroDivisionError
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_part_is_refused_by_name_and_pid_and_a_dead_part_is_removed(tmp_path, hold):
    holder = hold(0, 4)
    entries = samples.entries(samples.LENGTHS)
    with pytest.raises(StoreError, match=f"someone else .pid {holder.pid} on "):
        StoreWriter(tmp_path, samples.manifest(), entries, rank=0, world=2).__enter__()
    holder.kill()
    holder.wait()
    samples.write(tmp_path)
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def write_part(path: Path, rank: int, world: int) -> None:
    made, entries = samples.manifest(), samples.entries(samples.LENGTHS)
    with StoreWriter(path, made, entries, rank=rank, world=world) as writer:
        for index in writer.pending():
            writer.write(index, samples.states(index, samples.LENGTHS[index]))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_writers_of_parts_make_the_store_of_one_writer(tmp_path, order):
    samples.write(tmp_path / "one")
    for done, rank in enumerate(order):
        write_part(tmp_path / "parts", rank, 3)
        assert FeatureStore(tmp_path / "parts", allow_partial=True).complete == (done == 2)
    assert verify(tmp_path / "parts").ok
    assert samples.contents(tmp_path / "parts") == samples.contents(tmp_path / "one")


def test_writers_of_parts_may_run_at_the_same_time(tmp_path):
    samples.write(tmp_path / "one")
    with CONTEXT.Pool(3) as pool:
        pool.starmap(write_part, [(tmp_path / "parts", rank, 3) for rank in range(3)])
    assert samples.contents(tmp_path / "parts") == samples.contents(tmp_path / "one")


def test_more_writers_than_shards_is_fine(tmp_path):
    for rank in range(9):
        write_part(tmp_path / "parts", rank, 9)
    assert verify(tmp_path / "parts").ok
    with pytest.raises(ValueError, match="rank 2 of 2"):
        write_part(tmp_path / "other", 2, 2)


def test_a_full_disk_leaves_no_lock_behind(tmp_path, monkeypatch):
    def fail(*arguments: object) -> int:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with pytest.raises(StoreError, match="the disk is full"):
            Lock(tmp_path, "me")
    assert list(tmp_path.iterdir()) == []
    with Lock(tmp_path, "me"):
        pass
