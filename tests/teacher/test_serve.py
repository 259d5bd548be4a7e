"""`latentcomp teacher serve`: the command line it composes, and what it does with it."""

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from latentcomp.extract.teachers.text import serve
from latentcomp.extract.teachers.text.serve import ServeRequest, compose

from ..extract.command_line import run_command

PACKAGE = Path(__file__).resolve().parents[2] / ".dev"

# Stands for the vLLM package: says how it was started and waits to be ended.
VLLM = """
import json, os, sys, time
print(json.dumps({"argv": sys.argv[1:], "pid": os.getpid()}), flush=True)
time.sleep(60)
"""


def options(command):
    """The flags after the module, each with the value that follows it."""
    return dict(pairwise(command))


def test_the_command_is_data():
    command = compose(ServeRequest(model="Qwen/Qwen3-30B-A3B", max_model_len=9000, gpus=2))
    assert command[:3] == (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
    given = options(command)
    assert given["--model"] == given["--served-model-name"] == "Qwen/Qwen3-30B-A3B"
    assert (given["--host"], given["--port"]) == ("127.0.0.1", "8000")
    assert given["--max-model-len"] == "9000" and given["--tensor-parallel-size"] == "2"
    assert given["--gpu-memory-utilization"] == "0.9"
    assert given["--generation-config"] == "vllm"
    assert "--enable-prefix-caching" in command and "--revision" not in command


def test_what_is_left_out_is_not_passed():
    command = compose(ServeRequest(model="/models/mine"))
    assert "--max-model-len" not in command
    assert compose(ServeRequest(model="m", revision="abc"))[-1] == "--enable-prefix-caching"
    assert options(compose(ServeRequest(model="m", revision="abc")))["--revision"] == "abc"


def test_the_lab_teacher_is_a_folder():
    given = options(compose(ServeRequest(model="lab")))
    assert (Path(given["--model"]) / "config.json").is_file()
    assert given["--served-model-name"] == "lab"


def test_dry_run_prints_and_starts_nothing(capsys, monkeypatch):
    monkeypatch.setattr(serve, "start", lambda command: pytest.fail("started"))
    ran = run_command(
        capsys, "teacher", "serve", "--model", "my model", "--dry-run", "--", "--enforce-eager"
    )
    assert ran.code == 0
    assert "-m vllm.entrypoints.openai.api_server --model 'my model'" in ran.out
    assert ran.out.rstrip().endswith("--enable-prefix-caching --enforce-eager")


def test_without_vllm(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    error = run_command(capsys, "teacher", "serve").error
    assert "vLLM is not installed" in error and "pip install" in error


def test_a_port_that_is_taken(capsys, monkeypatch, server):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    port = server.url.rpartition(":")[2].removesuffix("/v1")
    error = run_command(capsys, "teacher", "serve", "--port", port).error
    assert f"127.0.0.1:{port} cannot be used" in error and "--port" in error


def test_the_process_becomes_the_server(tmp_path):
    module = tmp_path / "vllm" / "entrypoints" / "openai"
    module.mkdir(parents=True)
    (module / "api_server.py").write_text(VLLM)
    environment = {**os.environ, "PYTHONPATH": f"{PACKAGE}:{tmp_path}"}
    line = [sys.executable, "-m", "latentcomp", "teacher", "serve", "--port", "58923"]
    process = subprocess.Popen(
        [*line, "--", "--enforce-eager"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        printed, started = process.stdout.readline(), json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert "--port 58923" in printed
    assert started["pid"] == process.pid
    assert started["argv"][-1] == "--enforce-eager"
    assert process.returncode == -signal.SIGTERM
