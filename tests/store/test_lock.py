"""One writer at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from latentcomp.errors import StoreError
from latentcomp.store.lock import Lock
from latentcomp.store.writer import StoreWriter

from . import samples

HOLD = """
import sys, time
from pathlib import Path
from latentcomp.store.lock import Lock
lock = Lock(Path(sys.argv[1]), "someone else")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path."""
    arguments = [sys.executable, "-c", HOLD, str(tmp_path / ".lock")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_writer_is_refused_by_name_and_pid(tmp_path, holder):
    with (
        pytest.raises(StoreError, match=f"someone else .pid {holder.pid} on ") as error,
        StoreWriter(tmp_path, samples.manifest(), samples.entries((5,))),
    ):
        pass
    assert "\n" not in str(error.value)


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".lock").exists()
    samples.write(tmp_path)
    assert not (tmp_path / ".lock").exists()


def test_a_dead_owner_does_not_block_through_a_child_that_it_forked(tmp_path):
    script = HOLD.replace("time.sleep(60)", "import os\nif os.fork() == 0: time.sleep(3)")
    path = tmp_path / ".lock"
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.DEVNULL)
    process.wait()
    with Lock(path, "me"):
        assert f'"pid": {os.getpid()}' in path.read_text()


def test_the_lock_is_gone_at_the_end_even_of_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError), Lock(tmp_path / ".lock", "me") as lock:
        raise ZeroDivisionError
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_two_locks_in_one_process_exclude_each_other(tmp_path):
    with (
        Lock(tmp_path / ".lock", "me"),
        pytest.raises(StoreError, match="me .pid"),
        Lock(Path(tmp_path / ".lock"), "me too"),
    ):
        pass
