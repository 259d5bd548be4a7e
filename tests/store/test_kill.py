"""SIGKILL at any moment, then the same again: the store is the one of an uninterrupted run."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify

from ..processes import Server
from . import samples


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server(samples.work, samples.prepare)
    yield server
    server.close()


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    store = tmp_path_factory.mktemp("uninterrupted") / "store"
    samples.write(store)
    assert verify(store).ok
    return samples.contents(store)


def check_readable(store: Path) -> None:
    """What a killed run left shows only whole documents, with the right values."""
    if not (store / "documents.parquet").exists() or not (store / "chunks.parquet").exists():
        return
    partial = FeatureStore(store, allow_partial=True)
    for index, name in enumerate(partial.document_ids):
        number = int(name.removeprefix("d"))
        expected = samples.states(number, samples.LENGTHS[number])
        assert partial.read(index).states.equal(expected)


def crash_points(slow: bool) -> list[int]:
    some = [1, 2, 3, 5, 9, 17, 26, 38, 51, 67, 84, 102, 125, 151]
    return list(range(1, 600)) if slow else some


def crash_everywhere(
    server: Server, golden: dict[str, bytes], folder: Path, points: list[int]
) -> int:
    killed = 0
    for point in points:
        store = folder / f"crash{point}"
        server.start(store, point, 1)
        status = server.wait()
        if status == 0:
            break
        assert status == -signal.SIGKILL
        killed += 1
        check_readable(store)
        samples.write(store)
        assert samples.contents(store) == golden, f"killed before change {point}"
    return killed


def test_killed_before_some_changes_to_the_disk(
    server: Server, golden: dict[str, bytes], tmp_path: Path
) -> None:
    points = crash_points(slow=False)
    assert crash_everywhere(server, golden, tmp_path, points) == len(points)


@pytest.mark.slow
def test_killed_before_every_change_to_the_disk(
    server: Server, golden: dict[str, bytes], tmp_path: Path
) -> None:
    points = crash_points(slow=True)
    assert 100 < crash_everywhere(server, golden, tmp_path, points) < len(points)


def kill_at_random(
    server: Server, golden: dict[str, bytes], folder: Path, times: int, seed: int
) -> int:
    random_ = random.Random(seed)
    killed = 0
    for number in range(times):
        store = folder / f"random{number}"
        while True:  # the same store is killed again and again until a run gets through
            child = server.start(store, 0, 1)
            time.sleep(random_.uniform(0.0, 0.08))
            os.kill(child, signal.SIGKILL)
            if server.wait() == 0:
                break
            killed += 1
            check_readable(store)
            if random_.random() < 0.5:
                samples.write(store)
                break
        assert samples.contents(store) == golden
    return killed


def test_killed_at_random_moments(server: Server, golden: dict[str, bytes], tmp_path: Path) -> None:
    assert kill_at_random(server, golden, tmp_path, times=8, seed=1) >= 4


@pytest.mark.slow
def test_killed_at_fifty_random_moments(
    server: Server, golden: dict[str, bytes], tmp_path: Path
) -> None:
    assert kill_at_random(server, golden, tmp_path, times=50, seed=2) >= 50


def test_an_exception_in_the_caller_keeps_what_was_committed(
    golden: dict[str, bytes], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    calls = 0

    def fail() -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        samples.write(store, each=fail)
    assert not (store / ".lock").exists()
    assert not (store / "seal.json").exists()
    assert len(FeatureStore(store, allow_partial=True)) == 2
    samples.write(store)
    assert samples.contents(store) == golden
