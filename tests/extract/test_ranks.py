"""Ranks from the environment, and ranges of shards that are filled whoever holds the others."""

import threading
import time

import numpy as np
import pytest
import torch

from latentcomp.common.errors import LatentcompError, StoreBusyError, StoreError
from latentcomp.extract.ranks import Rank, rank_from
from latentcomp.extract.shard_ranges import (
    RANGES_PER_RANK,
    WINDOWS_PER_RANGE,
    ShardRange,
    fill_shard_ranges,
    shard_ranges_of,
)
from latentcomp.store.format.schema import DocumentEntry, LayerRecord, Manifest, ModelIdentity
from latentcomp.store.write.writer import StoreWriter

from .command_line import contents


def test_ranks_of_launchers():
    assert rank_from({}) == Rank()
    torchrun = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
    slurm = {"SLURM_PROCID": "5", "SLURM_NTASKS": "6", "SLURM_LOCALID": "2"}
    assert rank_from(torchrun) == Rank(3, 8, 1)
    assert rank_from(slurm) == Rank(5, 6, 2)
    assert rank_from(torchrun | slurm) == Rank(3, 8, 1)
    assert rank_from({"RANK": "3"}) == Rank()  # a part of them says nothing
    assert rank_from({"SLURM_NTASKS": "6"}) == Rank()


@pytest.mark.parametrize("change", [{"RANK": "x"}, {"RANK": "8"}, {"LOCAL_RANK": "-1"}])
def test_ranks_that_make_no_sense(change):
    environment = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"} | change
    name, value = next(iter(change.items()))
    with pytest.raises(LatentcompError, match=f"{name}={value}.*unset RANK"):
        rank_from(environment)


def test_every_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert Rank(5, 8, 1).device("auto") == "cuda:1"
    assert Rank(7, 8, 5).device("cuda") == "cuda:1"
    assert Rank(5, 8, 1).device("cpu") == "cpu"
    assert Rank(5, 8, 1).device("cuda:3") == "cuda:3"
    assert Rank().device("auto") == "auto"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Rank(5, 8, 1).device("auto") == "auto"


@pytest.mark.parametrize(
    ("world", "shards", "windows", "count"),
    [
        (1, 100, 10_000, 1),
        (8, 100, 0, 8),
        (8, 1000, 8 * RANGES_PER_RANK * WINDOWS_PER_RANGE, 8 * RANGES_PER_RANK),
        (8, 3, 1000, 3),
        (2, 0, 0, 1),
    ],
)
def test_parts(world, shards, windows, count):
    sets = [shard_ranges_of(Rank(rank, world), shards, windows) for rank in range(world)]
    for parts in sets:
        assert sorted(part.number for part in parts) == list(range(count))
        assert {part.count for part in parts} == {count}
    if count >= world:  # nobody starts where another one starts
        assert len({parts[0].number for parts in sets}) == world


MANIFEST = Manifest(
    teacher=ModelIdentity(
        name="t", revision=None, architecture="T", blocks=2, hidden_size=8,
        weights_sha256="0", tokenizer_sha256="0",
    ),
    layers=(LayerRecord(blocks_completed=1, post_norm=False),),
    dtype="float32", shard_tokens=16, chunk_tokens=8, corpus_sha256="0", code_version="0",
)  # fmt: skip
ENTRIES = [
    DocumentEntry(f"d{i}", np.arange(n) + 100 * i, np.zeros(n, np.int64), (None,))
    for i, n in enumerate([5, 30, 1, 20, 9, 40, 3, 12])
]


def states_of(index):
    noise = torch.Generator().manual_seed(index)
    return torch.randn(len(ENTRIES[index].token_ids), 1, 8, generator=noise)


def writer_at(path):
    return lambda part: StoreWriter(path, MANIFEST, ENTRIES, rank=part.number, world=part.count)


def fill(writer):
    for index in writer.pending():
        writer.write(index, states_of(index))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "store"
    fill_shard_ranges((ShardRange(),), writer_at(path), fill)
    return contents(path)


def test_one_process_fills_all_parts(tmp_path, reference):
    fill_shard_ranges(shard_ranges_of(Rank(1, 3), 8, 0), writer_at(tmp_path / "store"), fill)
    assert contents(tmp_path / "store") == reference


def test_a_part_that_is_held_is_waited_for_and_taken_up(tmp_path, reference):
    """Another process holds part 0, writes half of it and is lost."""
    store = tmp_path / "store"
    held = StoreWriter(store, MANIFEST, ENTRIES, rank=0, world=2)
    held.__enter__()
    held.write(0, states_of(0))
    looks = []

    def wait(_seconds):
        looks.append(sorted(path.name for path in store.glob(".lock*")))
        if len(looks) == 2:  # as if it had been killed: nothing more is committed
            held.__exit__(KeyboardInterrupt, None, None)

    fill_shard_ranges(shard_ranges_of(Rank(1, 2), 8, 0), writer_at(store), fill, wait)
    assert looks == [[".lock.0-4"], [".lock.0-4"]]
    assert contents(store) == reference


def test_two_threads_share_the_work(tmp_path, reference):
    written: dict[int, list[int]] = {0: [], 1: []}

    def work(rank):
        def slowly(writer):
            for index in writer.pending():
                written[rank].append(index)
                time.sleep(0.01)
                writer.write(index, states_of(index))

        fill_shard_ranges(
            shard_ranges_of(Rank(rank, 2), 8, 0), writer_at(tmp_path / "store"), slowly
        )

    threads = [threading.Thread(target=work, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert contents(tmp_path / "store") == reference
    assert written[0] and written[1]


def test_what_goes_wrong_while_filling_is_not_taken_for_a_held_part(tmp_path):
    def broken(_writer):
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        fill_shard_ranges(shard_ranges_of(Rank(0, 2), 8, 0), writer_at(tmp_path / "store"), broken)


def test_the_refusal_of_a_second_writer_has_a_name(tmp_path):
    with (
        StoreWriter(tmp_path, MANIFEST, ENTRIES, rank=0, world=2) as writer,
        pytest.raises(StoreBusyError, match="is writing to this store"),
    ):
        try:
            with StoreWriter(tmp_path, MANIFEST, ENTRIES, rank=0, world=2):
                pass
        finally:
            fill(writer)
