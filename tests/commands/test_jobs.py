"""Many jobs: a failing one stops no other, and leaves why."""

import json
import sys

import pytest

from latentcomp.commands import jobs
from latentcomp.commands.jobs import Failure, Job, run_jobs
from latentcomp.common.errors import CheckpointError


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
    begun = []
    failures = run_jobs(every, [], lambda job: begun.append(job.title))
    assert begun == ["train one", "train two", "train three", "train four"]
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
    run_jobs([failing], [], lambda job: None)
    assert (mended.folder / "failure.json").exists()
    assert run_jobs([mended], [], lambda job: None) == ()
    assert not (mended.folder / "failure.json").exists()


def test_an_interrupt_is_no_failure_of_a_job(job_of):
    """Ctrl-C ends the whole sweep, which goes on where it stopped."""
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job_of("one", KeyboardInterrupt()), job_of("two")], [], lambda job: None)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program in place of this Python, for jobs in processes of their own."""
    script = tmp_path / "program.py"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, sys, time\n"
        "assert sys.argv[1:3] == ['-m', 'latentcomp'], sys.argv\n"
        "print('gpu', os.environ['CUDA_VISIBLE_DEVICES'], *sys.argv[3:])\n"
        "time.sleep(0.2)\n"
        "if 'fail' in sys.argv:\n"
        "    print('the disk is full', file=sys.stderr)\n"
        "    sys.exit(2)\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return script


def test_with_several_gpus_each_job_is_a_process_that_sees_one(job_of, program):
    every = [job_of(str(n), arguments=("train", "fail" if n == 1 else str(n))) for n in range(4)]
    failures = run_jobs(every, ["3", "5"], lambda job: None)
    assert failures == (Failure("train 1", "the disk is full"),)
    outputs = [(job.folder / "output.txt").read_text().split() for job in every]
    assert {words[1] for words in outputs} == {"3", "5"}
    assert [words[3] for words in outputs] == ["0", "fail", "2", "3"]
    assert "the disk is full" in failure_of(every[1])["details"]
    assert not (every[0].folder / "failure.json").exists()


def test_a_gpu_is_free_again_after_a_job_that_could_not_start(job_of, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    every = [job_of(str(n)) for n in range(3)]
    failures = run_jobs(every, ["0", "1"], lambda job: None)
    assert [failure.title for failure in failures] == ["train 0", "train 1", "train 2"]
    assert all("/nowhere/python" in failure.reason for failure in failures)


def test_a_failing_listener_is_a_defect_and_not_a_job_that_failed(job_of):
    def on_start(job):
        raise RuntimeError("listener")

    with pytest.raises(RuntimeError, match="listener"):
        run_jobs([job_of("one")], [], on_start)


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
