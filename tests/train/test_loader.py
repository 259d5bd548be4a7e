"""Batches made ahead by worker processes: one-line errors, no orphaned processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from latentcomp.common.errors import StoreError
from latentcomp.common.threads import short_switch_interval
from latentcomp.train.live_batches import LiveBatches, LiveSettings
from latentcomp.train.loader import LoadedBatches, workers_for
from latentcomp.train.worker import NICE, begin_worker

from ..processes import CONTEXT

CPU = torch.device("cpu")


class Failing:
    """A source that fails, by an error or by dying."""

    def __init__(self, dies):
        self.dies = dies

    def at(self, step: Any) -> Any:
        if self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        raise StoreError("shard 3 is damaged")

    def document_ids(self, step):
        """No documents."""
        return ()

    def describe(self):
        """Nothing decides it."""
        return {}

    def close(self):
        """Nothing goes on."""


@pytest.mark.parametrize(
    ("dies", "message"), [(False, "^shard 3 is damaged$"), (True, "died.*--workers 0")]
)
@pytest.mark.usefixtures("quick_processes")
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_a_worker_process_is_one_line(dies, message):
    batches = LoadedBatches(Failing(dies), 1, CPU)
    for _ in range(1 if dies else 2):  # asked again, it fails again
        with pytest.raises(StoreError, match=message) as raised:
            batches.at(7)
        assert "\n" not in str(raised.value)
    batches.close()


def no_documents(start, count):
    """Endless work for a live worker."""
    time.sleep(600)
    return []


def stored():
    """One worker that reads a store."""
    batches = LoadedBatches(Failing(dies=False), 1, CPU)
    batches._items = iter(batches._loader(0))
    return batches


def live():
    """One worker that makes documents."""
    settings = LiveSettings(batch_size=1, question_tokens=8, seed=0, lengths=(8,), workers=1)
    return LiveBatches(no_documents, lambda ids: ids, settings, 0)


def start_workers_and_wait(start, pids):
    """Runs in a process of its own: starts a worker, reports its id, and never ends."""
    kept = start()
    pids.put([child.pid for child in multiprocessing.active_children()])
    time.sleep(600)
    kept.close()


@pytest.mark.parametrize("start", [stored, live])
def test_processes_do_not_outlive_one_that_is_killed(start):
    pids = CONTEXT.Queue()
    parent = CONTEXT.Process(target=start_workers_and_wait, args=(start, pids))
    parent.start()  # a fork; the processes that it starts are spawned, as in a training
    children = pids.get(timeout=120)
    assert len(children) == 1
    parent.kill()
    parent.join()
    until = time.monotonic() + 60
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < until, "the children outlive their parent"
        time.sleep(0.05)


def say_how_it_runs(lines):
    """Runs in a process of its own: begins as a worker and reports what that changed."""
    before = os.nice(0)
    begin_worker(3)
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    lines.put((ignored, os.environ["TOKENIZERS_PARALLELISM"], os.nice(0) - before))


def test_a_worker_stays_out_of_the_way_of_the_training():
    lines = CONTEXT.Queue()
    process = CONTEXT.Process(target=say_how_it_runs, args=(lines,))
    process.start()
    assert lines.get(timeout=60) == (True, "false", NICE)
    process.join()


BUSY = """
import torch
from latentcomp.commands.live_examples import LiveExamples
from latentcomp.corpus.generators import LAB_GENERATOR, generator
from latentcomp.models.loading import load_text_side
from latentcomp.train.live_batches import LiveBatches, LiveSettings

if __name__ == "__main__":
    side = load_text_side("lab")
    corpus = generator(LAB_GENERATOR).live("lab", "train", 0, 2, training=True)
    sizes = {"batch_size": 16, "question_tokens": 255, "lengths": (448, 640), "workers": 2}
    batches = LiveBatches(
        LiveExamples(corpus, side, side), lambda ids: torch.zeros(*ids.shape, 1, 4),
        LiveSettings(seed=0, **sizes), 0,
    )
    batches.at(0)
    batches.close()
"""


@pytest.mark.slow
def test_busy_workers_end_without_a_word(tmp_path):
    """Five of six trainings ended with an aborted process and a traceback before."""
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    for _ in range(4):
        ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, "")


def test_a_worker_of_a_live_training_imports_little():
    """Each of fifteen waits for it before the first step: 4 s instead of 17 (docs/LOG.md)."""
    heavy = ("transformers", "accelerate", "torch._dynamo", "latentcomp.extract", "zarr")
    code = (
        "import sys, latentcomp.commands.live_examples, latentcomp.train.live_batches; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("device", "free", "cores", "expected"),
    [("cpu", 1e12, 64, 0), ("cuda", 1e12, 64, 4), ("cuda", 1e12, 8, 2), ("cuda", 1e12, 3, 0),
     ("cuda", 64e6, 64, 0), ("cuda", 1e9, 64, 2)],
)  # fmt: skip
def test_as_many_processes_as_cores_and_memory_bear(monkeypatch, device, free, cores, expected):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=int(free)))
    monkeypatch.setattr("latentcomp.train.loader.cores", lambda: cores)
    assert workers_for(torch.device(device), 100_000_000) == expected


@pytest.mark.parametrize("failing", [False, True])
def test_threads_switch_often_while_a_run_trains(failing):
    before, seen = sys.getswitchinterval(), []

    @short_switch_interval()
    def train():
        seen.append(sys.getswitchinterval())
        if failing:
            raise StoreError("damaged")

    for _ in range(2):
        with pytest.raises(StoreError) if failing else nullcontext():
            train()
        assert sys.getswitchinterval() == before
    assert len(seen) == 2
    assert max(seen) < before / 5
