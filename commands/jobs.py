"""Many trainings and evaluations, side by side on the GPUs there are; a failed one stops no other.

With one device the jobs run one after the other in this process. With several, each runs in a
process of its own that sees one GPU and a share of the cores, with its output in a file.
"""

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from ..common import atomic
from ..common.errors import LatentcompError
from ..common.threads import core_shares, keep_to

FAILURE: Final = "failure.json"
OUTPUT: Final = "output.txt"


@dataclass(frozen=True, slots=True)
class Job:
    """One command that leaves something in a folder."""

    title: str
    """For people: `train phase-2/seed-0`."""
    folder: Path
    """Where its failure, and its output in a process of its own, are kept."""
    action: Callable[[], None]
    """The command in this process."""
    arguments: tuple[str, ...]
    """The same as a command line, for a process of its own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that did not end well."""

    title: str
    reason: str


Slot = tuple[str, frozenset[int]]
"""Where a job of its own process runs: a GPU, as CUDA_VISIBLE_DEVICES names it, and cores; without
these, each of several trainings would start processes for every core of the machine."""


class Watch:
    """Callbacks of `run_jobs`; called from several threads where several jobs run at once."""

    def planned(self, what: str, present: int, to_do: int) -> None:
        """So many are there already, and so many will be run."""

    def started(self, job: Job) -> None:
        """It begins."""

    def ended(self, job: Job, failure: Failure | None, seconds: float) -> None:
        """It ended, and how."""


def run_jobs(jobs: Sequence[Job], gpus: Sequence[str], watch: Watch) -> tuple[Failure, ...]:
    """Run every job, whatever becomes of the others.

    Args:
        jobs: in the order in which they begin.
        gpus: names for CUDA_VISIBLE_DEVICES; with less than two, this process does the work.
        watch: called for every job that begins or ends.

    Returns:
        Those that failed, in order; each left a `failure.json` in its folder.
    """
    if len(gpus) < 2:
        outcomes = [_watched(job, watch, _here) for job in jobs]
    else:
        at_once = min(len(gpus), len(jobs))
        free: SimpleQueue[Slot] = SimpleQueue()
        for slot in zip(gpus, core_shares(at_once), strict=False):
            free.put(slot)
        with ThreadPoolExecutor(len(gpus)) as pool:
            outcomes = list(pool.map(lambda job: _there(job, free, watch), jobs))
    return tuple(outcome for outcome in outcomes if outcome is not None)


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return named.split(",")[:count] if named else [str(index) for index in range(count)]


def _watched(job: Job, watch: Watch, run: Callable[[Job], Failure | None]) -> Failure | None:
    watch.started(job)
    begun = time.monotonic()
    failure = run(job)
    watch.ended(job, failure, time.monotonic() - begun)
    return failure


def _here(job: Job) -> Failure | None:
    (job.folder / FAILURE).unlink(missing_ok=True)
    try:
        job.action()
    except LatentcompError as error:
        return _failed(job, str(error), "")
    except Exception as error:  # a defect of one job must not lose the others' work
        return _failed(job, repr(error), traceback.format_exc())
    return None


def _there(job: Job, free: "SimpleQueue[Slot]", watch: Watch) -> Failure | None:
    slot = free.get()
    try:
        return _watched(job, watch, lambda job: _process(job, slot))
    finally:
        free.put(slot)


def _process(job: Job, slot: Slot) -> Failure | None:
    try:
        return _run_process(job, *slot)
    except (LatentcompError, OSError) as error:  # it could not even start
        return _failed(job, str(error), traceback.format_exc())


def _run_process(job: Job, gpu: str, cores: frozenset[int]) -> Failure | None:
    atomic.make_folder(job.folder)
    (job.folder / FAILURE).unlink(missing_ok=True)
    output = job.folder / OUTPUT
    with output.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "latentcomp", *job.arguments],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": gpu},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        keep_to(process.pid, cores)
        code = process.wait()
    if code == 0:
        return None
    text = output.read_text(errors="replace")
    last = text.strip().splitlines()[-1] if text.strip() else f"exit code {code}"
    return _failed(job, last, text[-20_000:])


def _failed(job: Job, reason: str, details: str) -> Failure:
    made = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"title": job.title, "reason": reason, "details": details, "made": made}
    atomic.write_json(job.folder / FAILURE, {**record, "arguments": list(job.arguments)})
    return Failure(job.title, reason)
