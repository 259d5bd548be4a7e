"""Many jobs: a failing one stops no other, and leaves why."""

import io
import json
import os
import re
import sys

import pytest
from rich.console import Console

from latentcomp.commands import jobs
from latentcomp.commands.job_lines import JobLines, duration
from latentcomp.commands.jobs import Failure, Job, Watch, run_jobs
from latentcomp.common.errors import CheckpointError


class Kept(Watch):
    """Keeps what it is told."""

    def __init__(self):
        self.begun: list[str] = []
        self.over: list[Failure | None] = []

    def started(self, job):
        self.begun.append(job.title)

    def ended(self, job, failure, seconds):
        self.over.append(failure)


@pytest.fixture
def job_of(tmp_path):
    """A function that makes a job which records that it ran, or raises."""

    def make(name, error=None, arguments=("train", "--phase", "1")):
        def action():
            if error is not None:
                raise error
            (tmp_path / f"{name} ran").touch()

        return Job(f"train {name}", tmp_path / name, action, arguments)

    return make


def failure_of(job):
    return json.loads((job.folder / "failure.json").read_text())


def test_a_failing_job_stops_no_other(job_of, tmp_path):
    every = [
        job_of("one"),
        job_of("two", CheckpointError("no checkpoint here; run `latentcomp train` first")),
        job_of("three", ValueError("a defect")),
        job_of("four"),
    ]
    watch = Kept()
    failures = run_jobs(every, [], watch)
    assert watch.begun == ["train one", "train two", "train three", "train four"]
    assert watch.over == [None, failures[0], failures[1], None]
    assert failures == (
        Failure("train two", "no checkpoint here; run `latentcomp train` first"),
        Failure("train three", "ValueError('a defect')"),
    )
    assert (tmp_path / "one ran").exists() and (tmp_path / "four ran").exists()
    told = failure_of(every[1])
    assert (told["title"], told["reason"]) == ("train two", failures[0].reason)
    assert told["details"] == "" and told["arguments"] == ["train", "--phase", "1"] and told["made"]
    assert "Traceback" in failure_of(every[2])["details"], "a defect leaves where it was"
    assert not (every[0].folder / "failure.json").exists()


def test_a_job_that_succeeds_later_leaves_no_failure(job_of):
    failing, mended = job_of("one", ValueError("x")), job_of("one")
    run_jobs([failing], [], Watch())
    assert (mended.folder / "failure.json").exists()
    assert run_jobs([mended], [], Watch()) == ()
    assert not (mended.folder / "failure.json").exists()


def test_an_interrupt_is_no_failure_of_a_job(job_of):
    """Ctrl-C ends the whole sweep, which goes on where it stopped."""
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job_of("one", KeyboardInterrupt()), job_of("two")], [], Watch())


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program in place of this Python, for jobs in processes of their own."""
    script = tmp_path / "program.py"
    script.write_text(
        # A path after `#!` may hold no space, so a shell starts Python.
        f"#!/bin/sh\n''''exec '{sys.executable}' \"$0\" \"$@\" #'''\n"
        "import os, sys, time\n"
        "assert sys.argv[1:3] == ['-m', 'latentcomp'], sys.argv\n"
        "print('gpu', os.environ['CUDA_VISIBLE_DEVICES'], *sys.argv[3:])\n"
        "time.sleep(0.2)\n"
        "print('cores', *sorted(os.sched_getaffinity(0)))\n"
        "if 'fail' in sys.argv:\n"
        "    print('the disk is full', file=sys.stderr)\n"
        "    sys.exit(2)\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return script


def test_with_several_gpus_each_job_is_a_process_that_sees_one(job_of, program):
    every = [job_of(str(n), arguments=("train", "fail" if n == 1 else str(n))) for n in range(4)]
    failures = run_jobs(every, ["3", "5"], Watch())
    assert failures == (Failure("train 1", "the disk is full"),)
    outputs = [(job.folder / "output.txt").read_text().split() for job in every]
    assert {words[1] for words in outputs} == {"3", "5"}
    assert [words[3] for words in outputs] == ["0", "fail", "2", "3"]
    assert "the disk is full" in failure_of(every[1])["details"]
    assert not (every[0].folder / "failure.json").exists()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_jobs_beside_each_other_share_the_cores(job_of, program):
    """Else each of several trainings starts processes for every core of the machine."""
    mine = os.sched_getaffinity(0)
    every = [job_of(str(n)) for n in range(2)]
    assert run_jobs(every, ["0", "0", "0"], Watch()) == ()
    shares = [
        {int(core) for core in (job.folder / "output.txt").read_text().split("cores ")[1].split()}
        for job in every
    ]
    assert shares[0] | shares[1] == mine
    assert len(mine) == 1 or not shares[0] & shares[1]


def test_a_gpu_is_free_again_after_a_job_that_could_not_start(job_of, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    every = [job_of(str(n)) for n in range(3)]
    failures = run_jobs(every, ["0", "1"], Watch())
    assert [failure.title for failure in failures] == ["train 0", "train 1", "train 2"]
    assert all("/nowhere/python" in failure.reason for failure in failures)


def test_a_failing_listener_is_a_defect_and_not_a_job_that_failed(job_of):
    class Broken(Watch):
        def started(self, job):
            raise RuntimeError("listener")

    with pytest.raises(RuntimeError, match="listener"):
        run_jobs([job_of("one")], [], Broken())


@pytest.mark.parametrize(
    ("named", "count", "expected"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("4,6", 2, ["4", "6"]),
        ("4,6,7", 2, ["4", "6"]),
        ("", 0, []),
        ("GPU-a,GPU-b", 2, ["GPU-a", "GPU-b"]),
    ],
)
def test_which_gpus_there_are(monkeypatch, named, count, expected):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert jobs.visible_gpus() == expected


def test_the_lines_say_how_far_it_is_and_what_failed(job_of, tmp_path):
    """With the jobs that are there already, the time left, and a failure where it happens."""
    shown = io.StringIO()
    watch = JobLines(Console(file=shown, width=300))
    every = [job_of("one"), job_of("two", CheckpointError("the disk is full")), job_of("three")]
    watch.planned("trainings", 5, len(every))
    run_jobs(every, [], watch)
    lines = [re.sub(r"\d+ s", "0 s", line.rstrip()) for line in shown.getvalue().splitlines()]
    assert lines == [
        "trainings: 5 of 8 are there, 3 to do",
        "  [1/3] train one",
        "  [1/3] done in 0 s; about 0 s left",
        "  [2/3] train two",
        f"  [2/3] failed: the disk is full ({tmp_path / 'two' / 'failure.json'}); about 0 s left",
        "  [3/3] train three",
        "  [3/3] done in 0 s",
    ]


@pytest.mark.parametrize(
    ("present", "to_do", "expected"),
    [(0, 3, "x: 3 to do"), (3, 0, "x: all 3 are there"), (0, 0, "")],
)
def test_what_is_there_is_said_before_it_begins(present, to_do, expected):
    shown = io.StringIO()
    JobLines(Console(file=shown)).planned("x", present, to_do)
    assert shown.getvalue().strip() == expected


def test_durations_for_people():
    assert [duration(s) for s in (0.4, 89, 600, 5399, 9000)] == [
        "0 s", "89 s", "10 min", "90 min", "2.5 h",
    ]  # fmt: skip
