"""An extraction that is killed or interrupted at any moment resumes to the same bytes."""

import json
import os
import signal
from typing import Any

import pytest
import torch

from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.store.tools.info import describe

from ..processes import command, start
from .command_line import contents, run_command
from .runs import DOCUMENTS, options

PLACES: dict[str, tuple[Any, str]] = {
    "batch": (TransformersTeacher, "queue"),
    "sync": (os, "fsync"),
    "rename": (os, "replace"),
}


def extract_until(moment, after, arguments):
    """In a process: an extraction that is killed in this call of that function."""
    owner, name = PLACES[moment]
    original, calls = getattr(owner, name), []

    def until(*args, **kwargs):
        calls.append(name)
        if len(calls) > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(owner, name, until)
    torch.set_num_threads(1)
    command(*arguments)


SELF_TEST = 1
"""Batches that a session reads before those of the store."""
MOMENTS = (
    ("batch", SELF_TEST),
    ("batch", SELF_TEST + 6),
    ("sync", 42),
    ("rename", 16),
    ("rename", 23),
    ("rename", 24),
)


@pytest.fixture
def kill(teacher, tmp_path_factory):
    """Makes the run folder of an extraction that got SIGKILL before that call of that function."""

    def killed(moment):
        run = tmp_path_factory.mktemp("killed") / "run"
        process = start(extract_until, *moment, options(teacher, run))
        process.join(300)
        assert process.exitcode == -signal.SIGKILL
        return run

    return killed


@pytest.mark.slow
def test_the_kills_fell_before_between_within_and_behind_shards(kill):
    runs = [kill(moment) for moment in MOMENTS]
    stores = [describe(run / "store") for run in runs]
    committed = {store.committed_shards for store in stores}
    # Two shards are committed beside each other, so how many are done between them may differ.
    assert committed >= {0, 3} and committed & {1, 2}
    assert not any(store.complete for store in stores)
    left = [path for run in runs for path in (run / "store").rglob("*.partial")]
    assert left, "no kill fell between the writing of a file and its renaming"


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(
            moment, marks=() if moment in MOMENTS[1:3] else pytest.mark.slow, id=str(moment)
        )
        for moment in MOMENTS
    ],
)
def test_killed_and_resumed_is_byte_identical(capsys, teacher, finished, kill, moment):
    run = kill(moment)
    assert not (run / "store" / "seal.json").exists()
    left = describe(run / "store").committed_shards < 3  # else there is only the seal to write
    assert run_command(capsys, *options(teacher, run)).code == 0
    assert contents(run / "store") == contents(finished / "store")
    assert contents(run / "corpus") == contents(finished / "corpus")
    sessions = json.loads((run / "extract.json").read_text())["sessions"]
    assert [session["seconds"] is None for session in sessions] == [True, False][: 1 + left]


def stop_after(monkeypatch, batches, error):
    """Let the teacher fail after so many batches."""
    original = TransformersTeacher.queue
    calls = []

    def queue(self, documents, layers):
        calls.append(len(documents))
        if len(calls) > batches:
            raise error
        return original(self, documents, layers)

    monkeypatch.setattr(TransformersTeacher, "queue", queue)


def test_interrupted_by_the_user(capsys, monkeypatch, teacher, finished, tmp_path):
    with monkeypatch.context() as patch:
        stop_after(patch, SELF_TEST + 7, KeyboardInterrupt())
        ran = run_command(capsys, *options(teacher, tmp_path))
    assert ran.code == 130
    assert ran.err == "interrupted; run the same command again to go on\n"
    resumed = run_command(capsys, *options(teacher, tmp_path))
    assert f"left of {DOCUMENTS}" in resumed.out
    assert contents(tmp_path / "store") == contents(finished / "store")


def test_resuming_reads_only_what_is_missing(capsys, monkeypatch, teacher, finished, tmp_path):
    with monkeypatch.context() as patch:
        stop_after(patch, SELF_TEST + 7, KeyboardInterrupt())
        run_command(capsys, *options(teacher, tmp_path))
    read = []
    original = TransformersTeacher.queue

    def queue(self, documents, layers):
        read.extend(documents)
        return original(self, documents, layers)

    monkeypatch.setattr(TransformersTeacher, "queue", queue)
    assert run_command(capsys, *options(teacher, tmp_path)).code == 0
    tested = 3  # documents of the self-test
    assert 0 < len(read) - tested < DOCUMENTS


def test_killed_before_the_seal(capsys, monkeypatch, teacher, finished, tmp_path):
    """Every shard is committed, only the seal is missing: the next run adds it."""
    from latentcomp.store.format import seal

    with monkeypatch.context() as patch:
        patch.setattr(seal, "write_seal", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        assert run_command(capsys, *options(teacher, tmp_path)).code == 130
    assert "nothing to do" in run_command(capsys, *options(teacher, tmp_path)).out
    assert contents(tmp_path / "store") == contents(finished / "store")
