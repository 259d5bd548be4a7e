"""Readers in forked children, beside many others, at the end of a program, on changing files."""

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from latentcomp.common.errors import StoreError
from latentcomp.store.places import local_file, object_store
from latentcomp.store.places.local_file import LocalFile
from latentcomp.store.places.open import place_of
from latentcomp.store.read import open_shards
from latentcomp.store.read.document_table import DocumentTable
from latentcomp.store.read.reader import FeatureStore

from . import samples

OPEN = Path(__file__).parents[2] / ".dev"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("processes") / "store"
    samples.write(path)
    return path


def in_fork(action) -> int:
    """Exit code of a forked child that does it; -1 if it hangs."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except StoreError as error:
            os.write(2, f"{error}\n".encode())
            os._exit(7)
        finally:
            os._exit(1)
    for _ in range(1000):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -1


def test_locks_that_threads_hold_do_not_stay_held_in_a_child(store):
    """Of the opening of shards, of the tables, and of the fingerprints."""
    reader = FeatureStore(store)
    held, end = threading.Event(), threading.Event()

    def hold():
        with open_shards._opening, reader._table._lock, reader._shards._fingerprints._lock:
            held.set()
            end.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        assert in_fork(lambda: reader.read(1)) == 0
    finally:
        end.set()
        thread.join()


def test_a_property_that_a_thread_computes_can_be_asked_for_in_a_child(store, monkeypatch):
    """`functools.cached_property` holds a lock meanwhile, before Python 3.12."""
    reader, begun, end = FeatureStore(store), threading.Event(), threading.Event()
    column, parent = DocumentTable._column, os.getpid()

    def slow(table, name):
        if os.getpid() == parent:
            begun.set()
            end.wait(60)
        return column(table, name)

    monkeypatch.setattr(DocumentTable, "_column", slow)
    thread = threading.Thread(target=lambda: reader.lengths)
    thread.start()
    begun.wait(60)
    try:
        assert in_fork(lambda: reader.lengths.sum()) == 0
    finally:
        end.set()
        thread.join()


@pytest.mark.parametrize("new", [False, True])
def test_a_fork_of_a_process_that_used_an_address_is_refused_and_does_not_hang(new, capfd):
    address = f"memory://forked{new}"
    samples.write(address)
    reader = FeatureStore(address)
    reader.read(0)
    assert in_fork(lambda: FeatureStore(address) if new else reader.read(1)) == 7
    assert "give the DataLoader multiprocessing_context='spawn'" in capfd.readouterr().err


def test_many_stores_share_the_files_that_a_process_may_open(tmp_path):
    for number in range(4):
        samples.write(tmp_path / str(number))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    readers = [FeatureStore(tmp_path / str(number)) for number in range(4)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 30, hard))
    try:
        for _ in range(2):
            for index in range(len(samples.LENGTHS)):
                for reader in readers:
                    expected = samples.states(index, samples.LENGTHS[index])
                    assert reader.read(index).states.equal(expected)
        kept = [len(reader._shards) for reader in readers]
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        for reader in readers:
            reader._shards._open.clear()
        with pytest.raises(StoreError, match="this process may open 3; see `ulimit -n`"):
            readers[0].read(0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sum(kept) <= (used + 30) // 4


def script(text: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", text, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(OPEN)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_program_that_ends_with_open_files_ends_in_silence(store, monkeypatch):
    """Then modules lose their names, one after another, before the last objects go."""
    said: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    file = LocalFile(store / "states" / "c.0.0.0")
    with monkeypatch.context() as patch:
        for name in ("os", "mmap", "np", "stat"):
            patch.setattr(local_file, name, None)
        del file
    assert said == []


def test_a_file_that_becomes_shorter_under_its_map_is_one_line(tmp_path):
    """In the moment between the look at the file and the copy, which no code can catch."""
    text = """
import os, sys
from latentcomp.store.places.local_file import LocalFile
open(sys.argv[1], "wb").write(bytes(8192))
file = LocalFile(sys.argv[1])
memory = file.memory([range(8192, 8193)])
if memory is None:
    sys.exit(9)
os.truncate(sys.argv[1], 0)
memory.sum()
"""
    ran = script(text, tmp_path / "file")
    if ran.returncode == 9:
        pytest.skip("this file system does not say what the page cache holds")
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: a file of a feature store became shorter while it was")
    assert ran.stderr.count("\n") == 1


@pytest.fixture
def server(monkeypatch):
    """An S3 server that can go away: a function that stops it, and one that starts it again."""
    import boto3
    from moto.server import ThreadedMotoServer

    first = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    first.start()
    host, port = first.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=settings["AWS_ENDPOINT_URL"]).create_bucket(Bucket="away")
    running = [first]

    def start():
        running.append(ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False))
        running[-1].start()

    yield lambda: running.pop().stop(), start
    for one in running:
        one.stop()


@pytest.mark.slow
def test_a_service_that_is_away_for_three_seconds_is_waited_for(server):
    stop, start = server
    samples.write("s3://away/store")
    reader = FeatureStore("s3://away/store")
    stop()
    timer = threading.Timer(3.0, start)
    timer.start()
    assert reader.read(1).states.equal(samples.states(1, samples.LENGTHS[1]))
    samples.write("s3://away/store", (*samples.LENGTHS,))
    timer.join()


def test_a_service_that_stays_away_is_one_line_with_the_right_step(server, monkeypatch):
    stop, _ = server
    samples.write("s3://away/other")
    monkeypatch.setattr(object_store, "_RETRIES", {"max_retries": 0})
    reader = FeatureStore("s3://away/other")
    stop()
    for action in (
        lambda: reader.read(1),
        lambda: FeatureStore("s3://away/other"),
        lambda: samples.write("s3://away/other"),
        lambda: place_of("s3://away/other").write("x", [b"x"]),
    ):
        with pytest.raises(StoreError, match="check address, credentials and network") as error:
            action()
        assert "\n" not in str(error.value)
        assert "verify" not in str(error.value) and "folder" not in str(error.value)
