"""A reader in another process beside a live writer: what it sees is committed, whole and right."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from latentcomp.store.format.layout import SEAL, is_store
from latentcomp.store.places.open import place_of
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify

from ..processes import Server, running
from . import samples

TIMES = 12
LENGTHS = samples.LENGTHS * TIMES
ENDS = np.cumsum(LENGTHS)
"""[documents] token behind each."""
SHARD = 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    warm = tmp_path_factory.mktemp("warm") / "store"
    samples.write(warm)
    check(FeatureStore(warm), 0)  # so that no import takes longer than the writer does
    server = Server(samples.work, samples.prepare)
    yield server
    server.close()


def ready(store: Path) -> bool:
    """True once everything is there that is written before the first state."""
    return is_store(place_of(store)) and (store / "documents.parquet").exists()


def check(store: FeatureStore, first: int) -> int:
    """Every value of the documents from `first` on; how many there are in all."""
    for index in range(first, len(store)):
        found = store.read(index)
        number = int(found.document_id.removeprefix("d"))
        assert found.states.equal(samples.states(number, LENGTHS[number]))
        assert found.states.abs().sum(dim=(1, 2)).min() > 0  # no token is all zeros
        entry = samples.entry(found.document_id, LENGTHS[number], number)
        assert found.token_ids.tolist() == np.asarray(entry.token_ids).tolist()
    return len(store)


def whole(shards: set[int]) -> int:
    """Documents of which every token lies in these shards; two are committed at once, so they
    need not be the first ones."""
    parts = (
        range((end - length) // SHARD, (end - 1) // SHARD + 1)
        for end, length in zip(ENDS, LENGTHS, strict=True)
    )
    return sum(shards.issuperset(part) for part in parts)


def committed(store: Path) -> set[int]:
    """Shards that the ledger names."""
    return {int(path.stem) for path in (store / "ledger").glob("[0-9]*.json")}


def pause(pid: int, stop: bool) -> None:
    """Stop a process wherever it is, or let it go on."""
    os.kill(pid, signal.SIGSTOP if stop else signal.SIGCONT)


def test_it_sees_committed_documents_only_and_every_value_is_right(
    server: Server, tmp_path: Path
) -> None:
    """Now beside a writer that runs, now beside one that was stopped in the middle of anything."""
    path = tmp_path / "store"
    writer = server.start(path, 0, TIMES)
    seen = [0]
    kept: FeatureStore | None = None
    stop = False
    try:
        while running(writer):
            stop = not stop
            pause(writer, stop)
            if ready(path):
                before = committed(path)
                store = FeatureStore(path, allow_partial=True)
                after = committed(path)
                assert len(store) >= whole(before), "committed before it was opened, so it is there"
                if not store.complete and not (path / SEAL).exists():
                    assert len(store) <= whole(after), "not yet committed"
                seen.append(check(store, max(0, seen[-1] - 3)))
                kept = store if kept is None and len(store) else kept
                check(kept, len(kept) // 2) if kept else None  # goes on showing what it showed
            pause(writer, False)
            time.sleep(0.004)
    except BaseException:
        os.kill(writer, signal.SIGKILL)  # stopped, it would be waited for without end
        raise
    assert server.wait() == 0
    assert seen == sorted(seen)
    assert len(set(seen) - {0, len(LENGTHS)}) >= 3, seen
    assert check(FeatureStore(path), 0) == len(LENGTHS)
    assert kept is not None
    assert 0 < check(kept, 0) < len(LENGTHS)
    assert verify(path).ok


def test_a_reader_of_what_a_killed_writer_left_sees_the_same(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "store"
    writer = server.start(path, 0, TIMES)
    while len(committed(path)) < 4:
        assert running(writer)
    os.kill(writer, signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    left = check(FeatureStore(path, allow_partial=True), 0)
    assert left == whole(committed(path)) < len(LENGTHS)
    samples.write(path, LENGTHS)
    assert check(FeatureStore(path), 0) == len(LENGTHS)
