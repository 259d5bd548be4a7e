"""Full disks, read-only folders, wrong stores, damaged files: one clear line each."""

import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

from latentcomp.common import atomic
from latentcomp.common.errors import StoreError
from latentcomp.store.format import ledger, seal
from latentcomp.store.format.layout import MANIFEST, Layout
from latentcomp.store.format.schema import DocumentEntry, LayerRecord, Manifest
from latentcomp.store.format.shards import HEADER_BYTES
from latentcomp.store.places.local import LocalPlace
from latentcomp.store.places.open import place_of
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from ..processes import CONTEXT, start
from . import samples


@pytest.fixture
def store(tmp_path):
    samples.write(tmp_path / "store")
    return tmp_path / "store"


def one_line(error: pytest.ExceptionInfo[StoreError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"teacher": samples.teacher(weights_sha256="f" * 64)}, "teacher.weights_sha256"),
        ({"teacher": samples.teacher(name="other")}, "teacher.name"),
        ({"dtype": "float16"}, "dtype"),
        ({"codec": "zstd"}, "codec"),
        ({"corpus_sha256": "d" * 64}, "corpus_sha256"),
        ({"shard_tokens": 128}, "shard_tokens"),
        ({"layers": (LayerRecord(blocks_completed=43, post_norm=False),)}, "layers"),
    ],
)
def test_a_store_of_something_else_is_refused(store, changes, field):
    with pytest.raises(StoreError, match="choose another folder") as error:
        StoreWriter(store, samples.manifest(**changes), samples.entries(samples.LENGTHS))
    assert f"this store has {field} = " in one_line(error)


def test_other_documents_are_refused(store):
    with pytest.raises(StoreError, match="other documents or another tokenization"):
        samples.write(store, (9, *samples.LENGTHS[1:]))


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match="holds 'thesis.tex', so it is no feature store"):
        samples.write(tmp_path)
    with pytest.raises(StoreError, match="is a file, so it is no feature store"):
        samples.write(tmp_path / "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_an_unfinished_store_does_not_open(tmp_path):
    samples.write(tmp_path / "store", stop_before=5)
    with pytest.raises(StoreError, match="is not finished: run the same `extract` command"):
        FeatureStore(tmp_path / "store")
    with pytest.raises(StoreError, match="no feature store here"):
        FeatureStore(tmp_path / "nowhere")


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    expected = tmp_path / "whole"
    samples.write(expected)
    path = tmp_path / "store"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(len(data) for data in samples.contents(expected).values())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, hard))
    try:
        with pytest.raises(StoreError, match="the disk is full") as error:
            samples.write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    one_line(error)
    assert not list(path.rglob("*.partial"))
    samples.write(path)
    assert samples.contents(path) == samples.contents(expected)


def test_an_atomic_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    atomic.write_json(file, {"old": 1})
    for name, code in (("ENOSPC", 28), ("EROFS", 30), ("EIO", 5)):

        def fail(descriptor: int, code: int = code) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="a.json: ") as error:
            atomic.write_json(file, {"new": name})
        one_line(error)
        assert file.read_text() == atomic.json_text({"old": 1})
        assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def write_as_another_user(folders, connection):
    """In a process of its own: what it says of each folder."""
    if os.geteuid() == 0:
        os.setuid(65534)
    for folder in folders:
        try:
            samples.write(folder / "store")
        except StoreError as error:
            connection.send(str(error))


def test_a_folder_without_permission_is_one_line():
    # pytest's own folders are closed to other users, and root is stopped by nothing.
    folders = [Path(tempfile.mkdtemp()) for _ in range(2)]
    for folder, mode in zip(folders, (0o555, 0o000), strict=True):
        folder.chmod(mode)
    ours, theirs = CONTEXT.Pipe()
    process = start(write_as_another_user, folders, theirs)
    first, second = (ours.recv() if ours.poll(60) else pytest.fail("it says nothing") for _ in "ab")
    process.join()
    for folder in folders:
        folder.chmod(0o755)
        folder.rmdir()
    assert "cannot write here (Permission denied): choose a folder that you may write" in first
    assert "cannot be read (Permission denied): choose a folder that you may use" in second


def test_a_state_that_is_not_finite_names_document_and_layer(tmp_path):
    documents = samples.entries((5, 70))
    for bad in (float("nan"), float("inf"), -float("inf")):
        states = samples.states(1, 70)
        states[69, 1, 3] = bad
        with (
            pytest.raises(StoreError, match="document 'd1', layer after 31 blocks: .* NaN"),
            StoreWriter(tmp_path / f"{bad}", samples.manifest(), documents) as writer,
        ):
            writer.write(0, samples.states(0, 5))
            writer.write(1, states)


def test_a_state_that_is_not_finite_is_never_committed(tmp_path):
    """What was committed before it stays; a later run writes the rest."""
    made = (30, 30, 30, 30, 30)  # d3 lies in the second shard
    with (
        pytest.raises(StoreError, match="document 'd3'"),
        StoreWriter(tmp_path / "store", samples.manifest(), samples.entries(made)) as writer,
    ):
        for index, length in enumerate(made):
            states = samples.states(index, length)
            if index == 3:
                states[7, 2, 0] = float("nan")
            writer.write(index, states)
    reader = FeatureStore(tmp_path / "store", allow_partial=True)
    assert reader.document_ids == ("d0", "d1")
    samples.write(tmp_path / "store", made)
    assert verify(tmp_path / "store").ok


def test_values_beyond_the_stored_dtype_are_refused(tmp_path):
    made = samples.manifest(dtype="float16")
    with (
        pytest.raises(StoreError, match="'d0', layer after 19 blocks: .* in float16"),
        StoreWriter(tmp_path / "store", made, samples.entries((5,))) as writer,
    ):
        writer.write(0, torch.full((5, 3, samples.HIDDEN), 1e6))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "the corpus is empty"),
        ([DocumentEntry("a", [], [], (1,))], "document 'a' has no tokens"),
        ([DocumentEntry("a", [1, 2], [0], (1,))], "2 tokens but 1 chunk indices"),
        ([DocumentEntry("a", [1, 2], [1, 0], (1, 2))], "chunk indices must ascend"),
        ([DocumentEntry("a", [1, 2], [0, 2], (1, 2))], "chunk indices must ascend"),
        ([DocumentEntry("a", [-1], [0], (1,))], "token ids outside"),
        ([DocumentEntry("a", [1], [0], (1,))] * 2, "two documents are called 'a'"),
    ],
)
def test_documents_that_make_no_sense_are_refused(tmp_path, entries, message):
    with pytest.raises(StoreError, match=message):
        StoreWriter(tmp_path / "store", samples.manifest(), entries)


def test_calls_out_of_order_or_of_another_shape_are_programmer_errors(tmp_path):
    with StoreWriter(tmp_path / "s", samples.manifest(), samples.entries((5, 6))) as writer:
        with pytest.raises(ValueError, match="not the next"):
            writer.write(1, samples.states(1, 6))
        with pytest.raises(ValueError, match="states of 'd0'"):
            writer.write(0, samples.states(0, 4))


def damage_cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def damage_cut_to_nothing(file: Path) -> None:
    file.write_bytes(b"")


def damage_flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[200] ^= 4
    file.write_bytes(data)


def damage_swap(file: Path) -> None:
    other = file.with_name("c.2.0.0")
    saved = file.read_bytes()
    file.write_bytes(other.read_bytes())
    other.write_bytes(saved)


def damage_foreign(file: Path) -> None:
    other = file.parent.parent.parent / "foreign"
    samples.write(other, made=samples.manifest(teacher=samples.teacher(revision="other")))
    shutil.copy(other / "states" / file.name, file)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_cut, "the index fails its checksum"),
        (damage_cut_to_nothing, "the file is cut off at 0 bytes"),
        (damage_flip, "the chunk fails its checksum"),
        (damage_swap, "the header is of another shard or another store"),
        (damage_foreign, "the header is of another shard or another store"),
        (Path.unlink, "No such file or directory"),
    ],
)
@pytest.mark.parametrize("codec", ["raw", "split-zstd"])
def test_damage_names_document_layer_and_shard(tmp_path, damage, reason, codec):
    store = tmp_path / "store"
    samples.write(store, made=samples.manifest(codec=codec))
    damage(store / "states" / "c.1.0.0")
    with pytest.raises(StoreError, match="'d1', layer after 19 blocks, shard 1: ") as error:
        FeatureStore(store).read(1)
    assert reason in one_line(error)


def test_a_store_that_another_writer_begins_meanwhile_is_no_stranger(tmp_path, monkeypatch):
    look = LocalPlace.visible_entry

    def late(place):
        monkeypatch.setattr(LocalPlace, "visible_entry", look)
        samples.write(tmp_path / "s")
        return look(place)

    monkeypatch.setattr(LocalPlace, "visible_entry", late)
    StoreWriter(tmp_path / "s", samples.manifest(), samples.entries(samples.LENGTHS))
    assert verify(tmp_path / "s").ok


@pytest.mark.parametrize("column", [0, 1, 2])
def test_damage_in_one_of_the_layers_read_together_is_named_and_not_forgotten(tmp_path, column):
    path = tmp_path / "store"
    samples.write(path, made=samples.manifest())
    grid = Layout(samples.manifest(), sum(samples.LENGTHS)).states
    file = path / "states" / "c.1.0.0"
    data = bytearray(file.read_bytes())
    data[HEADER_BYTES + column * grid.used_chunks(1) * grid.stored_bytes + 3] ^= 4
    file.write_bytes(data)
    store, bad = FeatureStore(path), samples.BLOCKS[column]
    for _ in range(2):
        with pytest.raises(StoreError, match=f"'d1', layer after {bad} blocks, shard 1: "):
            store.read(1)
    others = [block for block in samples.BLOCKS if block != bad]
    whole = samples.states(1, samples.LENGTHS[1])
    kept = [i for i in range(3) if i != column]
    assert store.read(1, others).states.equal(whole[:, kept])


def test_a_committed_shard_that_was_cut_is_not_extended(store):
    damage_cut(store / "states" / "c.1.0.0")
    with pytest.raises(StoreError, match="shard 1 was committed but its file has .* bytes"):
        samples.write(store)


@pytest.mark.parametrize("name", ["manifest.json", "seal.json"])
def test_damaged_json_does_not_open(store, name):
    text = (store / name).read_text()
    (store / name).write_text(text.replace('"format_version": 1', '"format_version": 1 '))
    with pytest.raises(StoreError, match=f"{name}: damaged"):
        FeatureStore(store)


def test_a_later_format_is_refused_by_number(store):
    text = (store / "manifest.json").read_text()
    (store / "manifest.json").write_text(text.replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(StoreError, match="format version 2 is not known: update latentcomp"):
        FeatureStore(store)


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_them_all(tmp_path, monkeypatch):
    original = os.writev

    def stingy(descriptor: int, buffers: list[memoryview]) -> int:
        return original(descriptor, [buffers[0][:7]])

    monkeypatch.setattr(os, "writev", stingy)
    parts = [bytes([i]) * i for i in range(100)] + [b""]
    atomic.write_parts(tmp_path / "a", parts)
    assert (tmp_path / "a").read_bytes() == b"".join(parts)


@pytest.mark.parametrize("name", ["zarr.json", "states/zarr.json", "token_ids/zarr.json"])
def test_damaged_zarr_metadata_is_written_again(store, name):
    expected = samples.contents(store)
    (store / name).write_bytes(b"\xff" + expected[name][1:])
    assert not verify(store).ok
    samples.write(store)
    assert samples.contents(store) == expected


@pytest.mark.parametrize("check", ["first", "always"])
def test_a_shard_that_is_cut_off_while_it_is_open_is_an_error_of_its_document(tmp_path, check):
    samples.write(tmp_path / "store", (40, 40))
    store = FeatureStore(tmp_path / "store", check=check)
    assert store.read(0, [19]).states.equal(samples.states(0, 40)[:, :1])
    shard = tmp_path / "store" / "states" / "c.0.0.0"
    os.truncate(shard, shard.stat().st_size // 4)
    with pytest.raises(
        StoreError, match="'d1', layer after .* shard 0: the (file is cut|index fails)"
    ):
        store.read(1)


@pytest.mark.parametrize("table", [True, False])
def test_records_are_found_while_the_store_is_sealed_or_grows(tmp_path, monkeypatch, table):
    """Another process seals the store, or breaks the seal, while its records are listed."""
    path = tmp_path / "store"
    samples.write(path)
    place = place_of(path)
    wanted = ledger.read_table(place)
    if table:
        seal.break_seal(place)
    name = "committed" if table else "read_table"
    find = getattr(ledger, name)

    def overtaken(store, *known):
        monkeypatch.setattr(ledger, name, find)
        if table:
            found = dict(list(find(store, *known).items())[:1])  # the others are gone already
            manifest = ledger.read_sealed(place, MANIFEST, Manifest)
            seal.write_seal(place, Layout(manifest, sum(samples.LENGTHS)), 1, 1)
            return found
        seal.break_seal(place)
        return find(store, *known)  # there is no table any more

    monkeypatch.setattr(ledger, name, overtaken)
    assert seal.recorded(place) == wanted
