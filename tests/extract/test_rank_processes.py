"""Processes of the real command fill one store together; what a killed one left is continued."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from latentcomp import cli
from latentcomp.extract.ranks import Rank
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.store.read.reader import FeatureStore

from ..processes import command as run_process
from ..processes import start
from . import tiny_models
from .command_line import contents

PACKAGE = Path(__file__).resolve().parents[2] / ".dev"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "tiny"
    return tiny_models.save(tiny_models.tiny_qwen3(5, hidden=16), folder)


def command(teacher, run, reading="padded"):
    return [
        "extract", "--teacher", str(teacher), "--run", str(run), "--layers", "-2,-4",
        "--documents", "60", "--seed", "5", "--batch-tokens", "1500", "--reading", reading,
        "--tokens-per-second", "1000", "--backend", "transformers",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def alone(checkpoint, tmp_path_factory):
    """The store of a single process, packed; on one thread like the others, because the last bits
    of a product depend on how many threads share it."""
    run = tmp_path_factory.mktemp("alone") / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert cli.run(command(checkpoint, run, "packed")) == 0
    finally:
        torch.set_num_threads(threads)
    return contents(run / "store")


def fill(rank, seconds, arguments):
    """In a process: the command as one rank of two, with so many seconds before each batch."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK="0")
    queue = TransformersTeacher.queue

    def slowly(self, documents, layers):
        time.sleep(seconds)
        return queue(self, documents, layers)

    TransformersTeacher.queue = slowly  # type: ignore[method-assign]
    torch.set_num_threads(1)
    run_process(*arguments)


def until(condition):
    """Wait for it."""
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.slow
def test_two_processes_and_one_is_killed(checkpoint, alone, tmp_path):
    """The survivor does its own part, waits, takes up the part of the dead, and seals."""
    run = tmp_path / "run"
    arguments = command(checkpoint, run, "packed")
    victim = start(fill, 1, 1.5, arguments)
    until(lambda: list((run / "store").glob(".lock.*")))
    survivor = start(fill, 0, 0, arguments)
    # The survivor gets on; the victim sleeps.
    until(lambda: list((run / "store").glob("ledger/*")))
    victim.kill()
    for process in (victim, survivor):
        process.join(200)
    assert (victim.exitcode, survivor.exitcode) == (-signal.SIGKILL, 0)
    assert contents(run / "store") == alone
    sessions = json.loads((run / "extract.json").read_text())["sessions"]
    assert {(s["rank"], s["world"], s["seconds"] is None) for s in sessions} == {
        (1, 2, True),
        (0, 2, False),
    }
    assert len(FeatureStore(run / "store")) == 60


def environment():
    return {**os.environ, "PYTHONPATH": str(PACKAGE), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_torchrun_restarts_a_killed_worker(checkpoint, alone, tmp_path):
    run = tmp_path / "run"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    launcher += ["--max-restarts", "2", "--monitor-interval", "0.2", "-m", "--", "latentcomp"]
    group = subprocess.Popen(
        [sys.executable, *launcher, *command(checkpoint, run, "packed")],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    end = time.monotonic() + 200
    while not (locks := list((run / "store").glob(".lock.*"))):
        assert time.monotonic() < end and group.poll() is None
        time.sleep(0.01)
    os.kill(json.loads(locks[0].read_text())["pid"], signal.SIGKILL)
    output, _ = group.communicate(timeout=300)
    assert group.returncode == 0, output
    assert contents(run / "store") == alone


def test_a_rank_that_comes_late_finds_nothing_to_do(checkpoint, tmp_path, monkeypatch):
    from latentcomp.corpus.source import GeneratedCorpus
    from latentcomp.extract.request import ExtractionRequest
    from latentcomp.extract.runner import extract

    def request(rank):
        return ExtractionRequest(
            run=tmp_path / "run", layers=(-2,), corpus=GeneratedCorpus(documents=8, seed=1),
            teacher=str(checkpoint), tokens_per_second=1e3, rank=rank,
        )  # fmt: skip

    first, late = io.StringIO(), io.StringIO()
    extract(request(Rank(0, 2)), Console(file=first))
    assert "in each of 2 processes" in first.getvalue()
    outcome = extract(request(Rank(1, 2)), Console(file=late))
    assert outcome.documents_written == 0
    assert late.getvalue() == ""  # only the first rank talks
