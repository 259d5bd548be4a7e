"""A store that somebody made to do harm: one line, and nothing outside it is touched or read."""

import dataclasses
import hashlib
import json
import os
import signal
import socket
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numcodecs import blosc, zstd

from latentcomp.common import atomic
from latentcomp.common.errors import LatentcompError, StoreError
from latentcomp.common.lock import LOCK, Lock
from latentcomp.store.format import codecs
from latentcomp.store.format.codecs import CODECS, chunk_codec
from latentcomp.store.places.open import place_of
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.info import describe
from latentcomp.store.tools.verify import verify

from . import samples

SECRET = "the victim's own\n"


@pytest.fixture
def store(tmp_path):
    samples.write(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def victim(tmp_path):
    (tmp_path / "victim").write_text(SECRET)
    return tmp_path / "victim"


@pytest.fixture(autouse=True)
def no_waiting():
    """A pipe that is opened in the wrong way would be waited for without an end."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(60)
    yield
    signal.alarm(0)


def edit(file: Path, **changes) -> None:
    """Change a sealed JSON file; its checksum is right again."""
    content = json.loads(file.read_text())
    content.pop("checksum")
    for path, value in changes.items():
        at = content
        *parents, last = path.split("__")
        for key in parents:
            at = at[int(key) if key.isdigit() else key]
        at[int(last) if last.isdigit() else last] = value
    digest = hashlib.sha256(atomic.json_text(content).encode()).hexdigest()
    file.write_text(atomic.json_text(content | {"checksum": digest}))


def replace_table(store: Path, name: str, **columns) -> None:
    """Change values of a table, by column and row; the seal has its fingerprint."""
    table = pq.read_table(store / name)
    for column, (row, value) in columns.items():
        values = table[column].to_pylist()
        values[row] = value
        at = table.column_names.index(column)
        table = table.set_column(at, table.field(at), pa.array(values, table.field(at).type))
    pq.write_table(table, store / name, write_page_checksum=True)
    data = (store / name).read_bytes()
    files = json.loads((store / "seal.json").read_text())["files"]
    number = next(i for i, file in enumerate(files) if file["path"] == name)
    changed = {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit(store / "seal.json", **{f"files__{number}": changed})


def refused(store: Path) -> str:
    """What a reader says, in one line; the other commands end in no other way."""
    with pytest.raises(StoreError) as error:
        opened = FeatureStore(store)
        for index in range(len(opened)):
            opened.read(index)
    for command in (describe, verify, samples.write):
        try:
            command(store)
        except LatentcompError as other:
            assert "\n" not in str(other)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_lock_that_is_a_link_does_not_reach_what_it_points_at(store, victim):
    for name, shards in ((LOCK, None), (f"{LOCK}.0-2", range(2)), (f"{LOCK}.3-9", None)):
        (store / name).symlink_to(victim)
        with pytest.raises(StoreError, match=f"{name}: is a link or no regular file.*remove it"):
            Lock(store, "me", shards)
        assert victim.read_text() == SECRET
        (store / name).unlink()
    os.mkfifo(store / LOCK)
    with pytest.raises(StoreError, match="no regular file"):
        Lock(store, "me")
    (store / LOCK).unlink()
    (store / LOCK).mkdir()
    with pytest.raises(StoreError, match="no regular file"):
        Lock(store, "me")


def test_a_file_that_only_begins_like_a_lock_is_none(store):
    (store / f"{LOCK}.swp").write_text(SECRET)
    with Lock(store, "me", range(2)) as lock:
        assert lock.sole_writer
    assert (store / f"{LOCK}.swp").read_text() == SECRET


@pytest.mark.parametrize("pid", [10**30, -1, 0])
def test_a_lock_with_an_impossible_owner_is_no_traceback(tmp_path, pid):
    address = f"memory://owner{pid}"
    claim = {"name": "x", "pid": pid, "host": socket.gethostname(), "token": "t"}
    place_of(address).write(LOCK, [json.dumps(claim).encode()])
    with pytest.raises(StoreError, match="is writing to this store"):
        place_of(address).lock("me", None)


def test_a_temporary_file_that_is_a_link_is_not_followed(tmp_path, victim):
    (tmp_path / f".a.json.{os.getpid()}.partial").symlink_to(victim)
    atomic.write_json(tmp_path / "a.json", {})
    assert victim.read_text() == SECRET
    assert not (tmp_path / "a.json").is_symlink()


def test_folders_that_are_links_are_not_emptied(store, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "000000.json").write_text(SECRET)
    (elsewhere / ".x.1.partial").write_text(SECRET)
    (store / "linked").symlink_to(elsewhere)
    (store / "ledger").symlink_to(elsewhere)
    place = place_of(store)
    place.remove_partials()
    with pytest.raises(StoreError, match="is a link: remove it"):
        place.remove_folder("ledger")
    assert len(list(elsewhere.iterdir())) == 2


@pytest.mark.parametrize("name", ["../victim", "/etc/hostname", "states/../../victim"])
def test_names_in_the_seal_do_not_lead_out(store, victim, name, monkeypatch):
    edit(store / "seal.json", files__0__path=name)
    opened = []
    original = os.open

    def spy(path, *arguments, **named):
        opened.append(str(path))
        return original(path, *arguments, **named)

    monkeypatch.setattr(os, "open", spy)
    report = verify(store)
    assert any("leads out of the store" in problem.message for problem in report.problems)
    assert not [path for path in opened if "victim" in path or "hostname" in path]


@pytest.mark.parametrize("name", ["../victim", "/etc/hostname", "states/c.0.0.0"])
def test_nor_do_those_in_the_ledger(store, name):
    replace_table(store, "ledger.parquet", path=(3, name))
    report = verify(store)
    assert any("ledger" in problem.message for problem in report.problems)
    with pytest.raises(StoreError):
        samples.write(store)


@pytest.mark.parametrize("field", ["documents", "chunks", "tokens", "shards", "shard_bytes"])
@pytest.mark.parametrize("value", [-1, 0, 2**52, 10**30, 1.5, None])
def test_impossible_counts_in_the_seal(store, field, value):
    if field == "shard_bytes" and value == 2**52:
        pytest.skip("readers do not use it; verify compares it")
    edit(store / "seal.json", **{field: value})
    refused(store)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("teacher__hidden_size", 10**12),
        ("teacher__hidden_size", 2**20),
        ("teacher__blocks", 10**12),
        ("shard_tokens", 2**62),
        ("chunk_tokens", 2**62),
        ("chunk_tokens", 0),
        ("layers", []),
        ("layers", [{"blocks_completed": -1, "post_norm": False}]),
        ("dtype", "float1"),
        ("codec", "../zstd"),
    ],
)
def test_impossible_shapes_in_the_manifest(store, field, value):
    edit(store / "manifest.json", **{field: value})
    refused(store)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("documents.parquet", "tokens", -3),
        ("documents.parquet", "tokens", 2**50),
        ("documents.parquet", "first_token", -8),
        ("documents.parquet", "first_token", 2**50),
        ("documents.parquet", "chunks", -1),
        ("documents.parquet", "chunks", 2**30),
        ("chunks.parquet", "first_token", -1),
        ("chunks.parquet", "first_token", 2**40),
        ("chunks.parquet", "bucket", 7),
        ("ledger.parquet", "shard", -5),
        ("ledger.parquet", "shard", 2**40),
        ("ledger.parquet", "sha256", "no hash"),
    ],
)
def test_impossible_values_in_tables_whose_checksums_are_right(store, name, column, value):
    replace_table(store, name, **{column: (1, value)})
    refused(store)


BOMBS = {
    "zstd": lambda size: bytes(zstd.compress(bytes(size), 1)),
    "split-zstd": lambda size: bytes(blosc.compress(bytes(size), b"zstd", 1)),
}


@pytest.mark.parametrize("codec", BOMBS)
def test_a_chunk_that_opens_to_a_thousand_times_its_size_is_not_opened(codec):
    bomb = BOMBS[codec](2**26)
    assert len(bomb) < 2**26 / 1000
    tracemalloc.start()
    with pytest.raises(RuntimeError, match=f"opens to {2**26} bytes"):
        chunk_codec(codec, 2, 4096).decode(memoryview(bomb))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    for cut in (b"", bomb[:3], bomb[:12]):
        with pytest.raises(RuntimeError):
            chunk_codec(codec, 2, 4096).decode(memoryview(cut))


@pytest.mark.parametrize("size", [1, 200, 255, 256, 4096, 2**16, 2**17 + 3, 2**20])
def test_the_size_in_the_header_is_the_size(size):
    data = np.random.default_rng(0).integers(0, 9, size, np.uint8).tobytes()
    for packed, opens_to in (
        (bytes(zstd.compress(data, 1)), codecs._zstd_opens_to),
        (bytes(blosc.compress(data, b"zstd", 1)), codecs._split_opens_to),
    ):
        if len(packed) >= 18:
            assert opens_to(memoryview(packed)) == size


@pytest.mark.parametrize("codec", BOMBS)
def test_a_store_with_such_a_chunk_names_it(tmp_path, monkeypatch, codec):
    compressor = CODECS[codec].compressor
    assert compressor
    bad = dataclasses.replace(compressor, encode=lambda chunk, size: BOMBS[codec](2**22))
    with monkeypatch.context() as patch:
        patch.setitem(CODECS, codec, dataclasses.replace(CODECS[codec], compressor=bad))
        samples.write(tmp_path / "store", made=samples.manifest(codec=codec))
    with pytest.raises(StoreError, match=f"shard 0: .*opens to {2**22} bytes"):
        FeatureStore(tmp_path / "store").read(0)


FILES = ("manifest.json", "seal.json", "documents.parquet", "states/c.1.0.0", "token_ids/c.1")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "loop"])
def test_what_is_no_regular_file_is_neither_waited_for_nor_read(store, name, kind):
    (store / name).unlink()
    if kind == "pipe":
        os.mkfifo(store / name)
    elif kind == "folder":
        (store / name).mkdir()
    else:
        (store / name).symlink_to("/dev/zero" if kind == "endless" else store / name)
    refused(store)


SHARD = "states/c.0.0.0"


def test_a_shard_that_is_a_link_is_read(store, tmp_path):
    """Stores are spread over disks that way."""
    before = FeatureStore(store).read(0).states.clone()
    (store / SHARD).rename(tmp_path / "another disk")
    (store / SHARD).symlink_to(tmp_path / "another disk")
    assert FeatureStore(store).read(0).states.equal(before)
    assert verify(store).problems == ()


def test_nothing_of_another_file_is_read_through_a_link(store, tmp_path):
    other = bytearray((store / SHARD).read_bytes())
    other[len(other) // 2] ^= 1
    for content in (SECRET.encode(), bytes(other)):
        (tmp_path / "theirs").write_bytes(content)
        (store / SHARD).unlink()
        (store / SHARD).symlink_to(tmp_path / "theirs")
        assert "victim" not in refused(store)
        assert (tmp_path / "theirs").read_bytes() == content
