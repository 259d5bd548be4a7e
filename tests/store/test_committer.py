"""Shards become durable in batches: all that wait, in their order, files before their records."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from latentcomp.common import atomic
from latentcomp.common.errors import StoreError
from latentcomp.store.places.local import LocalPlace
from latentcomp.store.places.protocol import Staged
from latentcomp.store.write.committer import Committer

WAIT = 30


class Watched(LocalPlace):
    """Publishes when it is allowed to, and says what it published together."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.turns: list[int] = []
        self.entered, self.go_on = threading.Semaphore(0), threading.Semaphore(0)

    def publish(self, staged: Sequence[Staged]) -> None:
        self.turns.append(len(staged))
        self.entered.release()
        assert self.go_on.acquire(timeout=WAIT)
        super().publish(staged)


def stage(place: LocalPlace, number: int) -> Staged:
    return place.stage([(f"data/{number}", [b"x"])], (f"ledger/{number}", [b"y"]))


def names(place: LocalPlace) -> set[str]:
    return {name for name in place.names() if not name.rpartition("/")[2].startswith(".")}


def both(*numbers: int) -> set[str]:
    return {f"{folder}/{number}" for folder in ("data", "ledger") for number in numbers}


def test_what_waits_meanwhile_is_published_together(tmp_path):
    place = Watched(tmp_path)
    committer = Committer(place, capacity=9)
    first = committer.add(stage(place, 0))
    assert place.entered.acquire(timeout=WAIT)
    others = [committer.add(stage(place, number)) for number in range(1, 5)]
    assert names(place) == set()
    place.go_on.release(2)
    committer.close()
    assert place.turns == [1, 4]
    assert [done.result(0) for done in (first, *others)] == [None] * 5
    assert names(place) == both(0, 1, 2, 3, 4)


def test_too_many_hold_the_caller_up(tmp_path):
    place, added = Watched(tmp_path), []
    committer = Committer(place, capacity=2)
    staged = [stage(place, number) for number in range(4)]

    def add() -> None:
        for one in staged:
            added.append(committer.add(one))

    thread = threading.Thread(target=add)
    thread.start()
    assert place.entered.acquire(timeout=WAIT)
    thread.join(0.3)
    assert thread.is_alive()
    assert len(added) == 2
    place.go_on.release(4)
    thread.join(WAIT)
    assert not thread.is_alive()
    committer.close()
    assert len(added) == sum(place.turns) == 4
    assert names(place) == both(0, 1, 2, 3)


def test_a_turn_that_fails_is_an_error_of_all_in_it_and_is_not_tried_again(tmp_path, monkeypatch):
    """After a sync that failed the next one says that all is well: the bytes are lost."""
    place = Watched(tmp_path)
    committer = Committer(place, capacity=9)
    kept = committer.add(stage(place, 0))
    assert place.entered.acquire(timeout=WAIT)
    lost = [committer.add(stage(place, number)) for number in (1, 2)]
    place.go_on.release()
    assert place.entered.acquire(timeout=WAIT)
    syncs = []

    def fails_once(descriptor: int) -> None:
        syncs.append(descriptor)
        if len(syncs) == 1:
            raise OSError(5, os.strerror(5))

    monkeypatch.setattr(os, "fsync", fails_once)
    place.go_on.release()
    for done in lost:
        with pytest.raises(StoreError, match="check the disk and run again"):
            done.result(WAIT)
    committer.close()
    assert kept.result(0) is None
    assert len(syncs) == 1
    assert set(place.names()) == both(0)  # and no temporary file


def test_records_are_renamed_when_everything_else_is_durable(tmp_path, monkeypatch):
    steps: list[str] = []
    replace, sync = Path.replace, atomic.sync_folder

    def renamed(self: Path, target: Path) -> Path:
        steps.append(f"{target.parent.name}/{target.name}")
        return replace(self, target)

    def synced(folder: Path) -> None:
        steps.append(folder.name)
        sync(folder)

    place = LocalPlace(tmp_path)
    staged = [stage(place, number) for number in (1, 2)]
    monkeypatch.setattr(os, "fsync", lambda descriptor: steps.append("sync"))
    monkeypatch.setattr(Path, "replace", renamed)
    monkeypatch.setattr(atomic, "sync_folder", synced)
    place.publish(staged)
    assert steps[:4] == ["sync"] * 4
    assert [step for step in steps[4:] if step != "sync"] == [
        *("data/1", "data/2", "data"),
        *("ledger/1", "ledger/2", "ledger"),
    ]


def test_nothing_is_left_waiting_at_the_end(tmp_path):
    place = LocalPlace(tmp_path)
    committer = Committer(place, capacity=3)
    found: list[Future[None]] = [committer.add(stage(place, number)) for number in range(20)]
    committer.close()
    assert all(done.done() for done in found)
    assert names(place) == both(*range(20))
