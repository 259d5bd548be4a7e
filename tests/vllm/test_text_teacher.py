"""The whole path of the text teacher, for real: vLLM serves the lab teacher, and others ask it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from latentcomp.evaluate.result import EvaluationResult

from ..extract.command_line import run_command

pytestmark = pytest.mark.vllm

PACKAGE = Path(__file__).resolve().parents[2] / ".dev"
START_SECONDS = 300
HELD_OUT = ("--preset", "lab", "--split", "test", "--documents", "4", "--seed", "1")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """`latentcomp teacher serve --model lab` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "VLLM_CPU_KVCACHE_SPACE": "1"}
    line = [sys.executable, "-m", "latentcomp", "teacher", "serve", "--model", "lab"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*line, "--port", str(port), "--", "--enforce-eager"],
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for(address, process, log):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("text")


def test_summaries_and_answers_of_the_lab_teacher_over_the_port(capsys, url, out):
    """It has no chat template: HTTP 400 for every document."""
    where = ("--out", out, "--teacher-url", url)
    ran = run_command(capsys, "teacher", "summaries", *HELD_OUT, *where)
    assert ran.code == 0, ran.err
    rows = pq.read_table(out / "summaries.parquet").to_pylist()
    assert len(rows) == 4 and all(len(row["summary"]) > 50 for row in rows)
    ran = run_command(capsys, "teacher", "answers", *HELD_OUT, *where)
    assert ran.code == 0, ran.err
    rows = pq.read_table(out / "answers.parquet").to_pylist()
    # In transformers it answers all of these 80 right; a near tie may fall otherwise here.
    assert sum(row["correct"] for row in rows) >= 0.95 * len(rows) and len(rows) == 80
    assert "0 calls to make" in run_command(capsys, "teacher", "answers", *HELD_OUT, *where).out


def test_an_evaluation_reads_its_summaries(capsys, out, tmp_path):
    figures = tmp_path / "figures.json"
    ran = run_command(
        capsys, "evaluate", "--phase", "4", "--documents", "4", "--seed", "1", "--run",
        tmp_path / "run", "--device", "cpu", "--summaries", out / "summaries.parquet",
        "--json", figures,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    result = EvaluationResult.read(figures)
    assert result.arms["floor"].point < result.arms["summary"].point < result.arms["ceiling"].point
    assert set(result.provenance["inputs"]) >= {"summaries", "checkpoint", "teacher"}
