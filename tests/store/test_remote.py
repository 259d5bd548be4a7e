"""Stores in an object store: a real S3 server on loopback, and memory."""

import json
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from latentcomp import cli
from latentcomp.common.errors import StoreError
from latentcomp.store.places.local import LocalPlace
from latentcomp.store.places.open import place_of
from latentcomp.store.places.protocol import Place
from latentcomp.store.places.remote import RemotePlace
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.info import describe
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from ..processes import CONTEXT, start
from . import samples
from .place_suite import PlaceSuite

BUCKET = "features"


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """moto's S3 server; the environment says where it is, as a user would."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        boto3.client("s3", endpoint_url=settings["AWS_ENDPOINT_URL"]).create_bucket(Bucket=BUCKET)
        yield server
    server.stop()


@pytest.fixture(params=["s3", "memory"])
def address(request: pytest.FixtureRequest) -> str:
    """A new, empty place."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    if request.param == "memory":
        return f"memory://{name}"
    request.getfixturevalue("server")
    return f"s3://{BUCKET}/{name}/store"


class TestRemotePlace(PlaceSuite):
    @pytest.fixture
    def place(self, address: str) -> Place:
        return place_of(address)


def contents(place: Place) -> dict[str, bytes]:
    return {name: place.read(name) for name in place.names()}


@pytest.mark.parametrize("codec", ["raw", "split-zstd", "int8"])
def test_the_same_bytes_as_in_a_folder_and_the_same_reads(address, tmp_path, codec):
    made = samples.manifest(codec=codec)
    samples.write(tmp_path / "store", made=made)
    samples.write(address, made=made)
    assert contents(place_of(address)) == samples.contents(tmp_path / "store")
    near, far = FeatureStore(tmp_path / "store"), FeatureStore(address)
    assert far.document_ids == near.document_ids
    for index in (*range(len(near)), *reversed(range(len(near)))):
        one, other = near.read(index), far.read(index)
        assert one.states.equal(other.states) and one.token_ids.equal(other.token_ids)
        assert one.chunk_index.equal(other.chunk_index) and one.day.equal(other.day)


def test_a_writer_that_stops_goes_on_and_a_reader_sees_what_is_committed(address, tmp_path):
    samples.write(tmp_path / "store")
    samples.write(address, stop_before=5)
    with pytest.raises(StoreError, match="is not finished"):
        FeatureStore(address)
    partial = FeatureStore(address, allow_partial=True)
    assert 0 < len(partial) < len(samples.LENGTHS)
    assert partial.read(0).states.equal(samples.states(0, samples.LENGTHS[0]))
    assert not verify(address).complete
    samples.write(address)
    assert contents(place_of(address)) == samples.contents(tmp_path / "store")


def test_damage_is_found_and_named(address):
    samples.write(address)
    place = place_of(address)
    assert verify(address).ok
    data = bytearray(place.read("states/c.1.0.0"))
    data[200] ^= 4
    place.write("states/c.1.0.0", [bytes(data)])
    first = verify(address).problems[0]
    assert first.path == "states/c.1.0.0" and "checksum" in first.message
    with pytest.raises(StoreError, match="'d1', layer after 19 blocks, shard 1: .*checksum"):
        FeatureStore(address).read(1)
    place.remove("states/c.1.0.0")
    with pytest.raises(StoreError, match="'d1', layer after 19 blocks, shard 1: No such object"):
        FeatureStore(address).read(1)
    place.write("states/c.1.0.0", [bytes(data[:50])])
    with pytest.raises(StoreError, match="the file is cut off at 50 bytes"):
        FeatureStore(address).read(1)


def test_writers_of_parts_share_a_store(address, tmp_path):
    samples.write(tmp_path / "store")
    entries = samples.entries(samples.LENGTHS)
    writers = [StoreWriter(address, samples.manifest(), entries, rank=r, world=3) for r in range(3)]
    for writer in reversed(writers):
        with writer:
            for index in writer.pending():
                writer.write(index, samples.states(index, samples.LENGTHS[index]))
    assert contents(place_of(address)) == samples.contents(tmp_path / "store")


def claim(place: Place, key: str, pid: int, host: str) -> None:
    owner = {"name": "someone else", "pid": pid, "host": host, "token": "t"}
    place.write(key, [json.dumps(owner).encode()])


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("key", "shards", "refused"),
    [
        (".lock", None, True),
        (".lock", range(0, 2), True),
        (".lock.0-2", None, True),
        (".lock.0-2", range(1, 3), True),
        (".lock.0-2", range(2, 3), False),
    ],
)
@pytest.mark.parametrize("host", ["here", "elsewhere"])
def test_a_living_writer_excludes_and_is_named(address, key, shards, refused, host):
    place = place_of(address)
    claim(place, key, os.getpid(), socket.gethostname() if host == "here" else host)
    if not refused:
        place.lock("me", shards).release()
        assert place.names() == (key,)
        return
    with pytest.raises(StoreError, match=f"someone else .pid {os.getpid()} on .*delete .*{key}"):
        place.lock("me", shards)
    assert place.names() == (key,)


@pytest.mark.parametrize("key", [".lock", ".lock.0-2", ".gate"])
def test_the_dead_of_this_machine_are_taken_over_those_of_others_are_not(address, key):
    place = place_of(address)
    claim(place, key, dead_pid(), socket.gethostname())
    samples.write(address)
    assert verify(address).ok and not any(name.startswith(".") for name in place.names())


def test_of_several_that_take_over_a_dead_lock_one_gets_it(address):
    place = place_of(address)
    assert isinstance(place, RemotePlace)
    claim(place, ".lock", dead_pid(), socket.gethostname())
    seen = place.fetch(".lock")
    assert seen is not None
    assert place.put_if(".lock", b"first", seen.tag)
    assert not place.put_if(".lock", b"second", seen.tag)
    assert place.read(".lock") == b"first"


def hold(address: str, ready: Any, end: Any, environment: dict[str, str]) -> None:
    os.environ |= environment  # the process that it was forked from may be older than the server
    with StoreWriter(address, samples.manifest(), samples.entries((5,)), name="another process"):
        ready.set()
        end.wait()


def test_a_second_process_is_refused_by_name_and_pid(server):
    address = f"s3://{BUCKET}/second/store"
    ready, end = CONTEXT.Event(), CONTEXT.Event()
    process = start(hold, address, ready, end, dict(os.environ))
    assert ready.wait(60)
    with pytest.raises(StoreError, match=f"another process .pid {process.pid} on "):
        samples.write(address, (5,))
    process.kill()
    process.join()
    samples.write(address, (5,))
    assert verify(address).ok


def test_a_reader_travels_as_its_address(server):
    address = f"s3://{BUCKET}/travels/store"
    samples.write(address)
    again = pickle.loads(pickle.dumps(FeatureStore(address)))  # noqa: S301
    assert again.path == address
    assert again.read(1).states.equal(samples.states(1, samples.LENGTHS[1]))


@pytest.mark.slow
def test_plain_zarr_reads_it_there(server):
    from obstore.store import from_url
    from zarr.storage import ObjectStore

    address = f"s3://{BUCKET}/zarr/store"
    samples.write(address)
    group = zarr.open_group(ObjectStore(from_url(address), read_only=True), mode="r")
    found = np.asarray(group["token_ids"])
    expected = np.concatenate([e.token_ids for e in samples.entries(samples.LENGTHS)])
    assert np.array_equal(found, expected)


def test_the_commands_take_addresses(server, tmp_path, capsys):
    samples.write(tmp_path / "run" / "store")
    address = f"s3://{BUCKET}/commands/run/store"
    merged = ["store", "merge", str(tmp_path / "run"), "--out", address]
    assert cli.run(merged) == 0
    for run in (address, address.removesuffix("/store")):
        assert cli.run(["store", "verify", "--run", run]) == 0
        assert cli.run(["store", "info", "--run", run]) == 0
        assert address in capsys.readouterr().out
    assert describe(address).documents == len(samples.LENGTHS)
    out = tmp_path / "out"
    assert cli.run(["store", "export", "--run", address, "--out", str(out)]) == 0
    assert (out / "index.json").exists()


def test_file_addresses_are_folders(tmp_path):
    samples.write(f"file://{tmp_path}/store")
    assert isinstance(place_of(f"file://{tmp_path}/store"), LocalPlace)
    assert FeatureStore(tmp_path / "store").path == tmp_path / "store"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://no-such-bucket/store", "No such object|check address, credentials and network"),
        ("ftp://somewhere/store", "is no address of a store"),
    ],
)
def test_mistakes_are_one_line(server, address, message):
    with pytest.raises(StoreError, match=message) as error:
        samples.write(address)
    assert "\n" not in str(error.value)


def test_an_address_that_was_made_a_path_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for write in (samples.write, FeatureStore, verify):
        with pytest.raises(StoreError, match="give it as a string"):
            write(Path("s3://bucket/store"))
    assert list(tmp_path.iterdir()) == []
    samples.write(Path("a:b"))
    assert (tmp_path / "a:b" / "seal.json").exists()


def test_without_the_extra_the_next_step_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreError, match=r"pip install 'latentcomp\[remote\]'"):
        place_of("s3://bucket/store")
