"""A writer's memory is a few shards, however many documents pass and however slow the disk is."""

import gc
import threading
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from latentcomp.store.places.local import LocalPlace
from latentcomp.store.places.protocol import Staged
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.write.pipeline import BACKLOG, default_encoders
from latentcomp.store.write.writer import StoreWriter

from . import samples

SHARD = 64
MADE = samples.manifest()


class SlowDisk(LocalPlace):
    """Publishes as many times as are allowed."""

    def __init__(self, folder: Path, shards: int) -> None:
        super().__init__(folder)
        self.allowed = [threading.Event() for _ in range(shards)]
        self.turns: list[int] = []

    def publish(self, staged: Sequence[Staged]) -> None:
        self.turns.append(len(staged))
        assert self.allowed[len(self.turns) - 1].wait(timeout=120)
        super().publish(staged)


def standstill(number: list[int]) -> int:
    """Where a counter stays."""
    deadline, seen = time.monotonic() + 60, (-1, -1)
    while seen[0] != number[0] or seen[0] == 0 or seen[1] < 30:
        assert time.monotonic() < deadline
        seen = (number[0], seen[1] + 1 if seen[0] == number[0] else 0)
        time.sleep(0.05)
    return seen[0]


@pytest.mark.parametrize(
    "encoders",
    [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 3],
)
def test_a_slow_disk_holds_the_writer_up(tmp_path: Path, encoders: int) -> None:
    lengths = [SHARD // 4] * 60  # four documents a shard
    disk, accepted = SlowDisk(tmp_path / "store", 15), [0]
    failed: list[BaseException] = []

    def write() -> None:
        try:
            with StoreWriter(disk, MADE, samples.entries(lengths), encoders=encoders) as writer:
                for index in writer.pending():
                    writer.write(index, samples.states(index, lengths[index]))
                    accepted[0] += 1
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    # So many are written, `encoders` more would like to be, and one is full: its last document is
    # not yet accepted. Fewer if a later shard got the room that the next one waits for.
    full = BACKLOG + encoders + 1
    assert 4 * (BACKLOG + 1) <= standstill(accepted) + 1 <= 4 * full
    assert thread.is_alive()
    assert len(disk.turns) == 1
    for turn, allowed in enumerate(disk.allowed):
        allowed.set()
        time.sleep(0.02)
        taken, published = accepted[0], sum(disk.turns[: turn + 1])
        assert taken < 4 * (full + published)
    thread.join(60)
    assert not thread.is_alive()
    assert not failed
    store = FeatureStore(tmp_path / "store")
    for index, length in enumerate(lengths):
        assert store.read(index).states.equal(samples.states(index, length))


HIDDEN, BIG_SHARD, LENGTH = 256, 1024, 256
BIG_SHARD_BYTES = BIG_SHARD * 3 * HIDDEN * 2


def peak(path: Path, shards: int, codec: str) -> int:
    """Most bytes that Python and numpy held while this many shards were written."""
    teacher = samples.teacher(hidden_size=HIDDEN)
    made = samples.manifest(
        teacher=teacher, codec=codec, shard_tokens=BIG_SHARD, chunk_tokens=LENGTH
    )
    entries = samples.entries([LENGTH] * (shards * BIG_SHARD // LENGTH))
    states = torch.randn(LENGTH, 3, HIDDEN).bfloat16()
    gc.collect()
    tracemalloc.start()
    with StoreWriter(path, made, entries) as writer:
        for index in writer.pending():
            writer.write(index, states)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


@pytest.mark.parametrize(
    "codec",
    [
        "raw",
        pytest.param("split-zstd", marks=pytest.mark.slow),
        pytest.param("int8", marks=pytest.mark.slow),
    ],
)
def test_however_many_documents_pass_memory_is_a_few_shards(tmp_path: Path, codec: str) -> None:
    shards = 60
    peak(tmp_path / "imports", 4, codec)
    most = peak(tmp_path / "store", shards, codec)
    # Shards of states; for those in the background what is being encoded and summed up.
    assert most < (6 + 4 * default_encoders()) * BIG_SHARD_BYTES
    assert most < shards * BIG_SHARD_BYTES / 4
