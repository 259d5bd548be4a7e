"""What is wrong with the input is told before the seconds that torch takes to import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRY = """
import json, sys
from latentcomp import cli
for line in json.loads(sys.argv[1]):
    try:
        code = cli.run(line)
    except SystemExit as error:
        code = error.code
    print(code, "torch" in sys.modules)
"""


def tried(lines, folder):
    """Exit code of each command line and whether torch was imported by then; and stderr."""
    ran = subprocess.run(
        [sys.executable, "-c", TRY, json.dumps(lines)],
        env={**os.environ, "PYTHONPATH": str(ROOT / ".dev")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split() for line in ran.stdout.splitlines()], ran.stderr


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"document_id": 3}\n{"chunks": []}\n')
    (tmp_path / "one.jsonl").write_text('{"document_id": "a", "chunks": [{"text": "Ann."}]}')
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_input_errors_come_before_torch(folder):
    lines = [
        ["extract", "--corpus", "bad.jsonl"],
        ["extract", "--corpus", "gone.jsonl"],
        ["extract", "--corpus", "empty"],
        ["extract", "--layers", "six"],
        ["extract", "--teacher", "./nowhere"],
        ["evaluate", "--corpus", "bad.jsonl"],
        ["evaluate", "--corpus", "one.jsonl"],
        ["evaluate", "--corpus", "gone"],
        ["evaluate", "--teacher", "./nowhere"],
        ["evaluate", "--reasoner", "no/such/model/name"],
        ["train", "--layers", "6"],
        ["train", "--reasoner", "./nowhere"],
        ["ask", "gone.txt", "Who?"],
        ["ask", "bad.jsonl"],
        ["compress", "gone.txt", "--out", "x"],
        ["compress", "bad.jsonl", "--out", "bad.jsonl"],
    ]
    results, errors = tried(lines, folder)
    assert results == [["2", "False"]] * len(lines), errors
    assert errors.count("error: ") == len(lines)
    assert errors.count("  line 2: document_id is missing") == 3
