"""What is wrong with the input is told before the seconds that torch takes to import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..store import samples

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

LINES = [
    line.split()
    for line in """
    extract --corpus bad.jsonl
    extract --corpus gone.jsonl
    extract --corpus empty
    extract --layers six
    extract --teacher ./nowhere
    extract --preset huge
    extract --split sideways
    evaluate --corpus bad.jsonl
    evaluate --corpus one.jsonl
    evaluate --corpus gone
    evaluate --teacher ./nowhere
    evaluate --reasoner no/such/model/name
    evaluate --run mien
    evaluate --teacher-only --run mien
    evaluate --phase 44
    evaluate --phase 4 --recipe phase-4
    evaluate --recipe nosuch --run run
    evaluate --scorer nosuch
    evaluate --preset huge
    evaluate --preset long --generator 3
    utilisation --run mien
    utilisation --phase 44
    utilisation --preset huge
    utilisation --teacher ./nowhere
    diagnose --run mien
    diagnose --phase 44
    diagnose --recipe nosuch --run run
    diagnose --split sideways
    judge --phase 44
    judge --phase 4 --run mien
    report --run mien
    ship --recipe phase-4 --run mien
    ladder --size huge
    ablations --size huge
    ceiling --preset huge
    ceiling --layers six
    ceiling --reasoner ./nowhere
    train --layers 6
    train --reasoner ./nowhere
    train --size tiny
    train --phase 44 --run run
    train --phase 4 --size huge --run run
    train --phase 4 --run mien
    train --phase 4 --start nowhere --run run
    train --phase 4 --targets nowhere --live
    train --phase 4 --live --resident
    train --recipe nosuch --run run
    ask gone.txt Who?
    ask bad.jsonl
    ask one.jsonl Who? --run mien
    ask one.jsonl Who? --run run
    compress gone.txt --out x
    compress bad.jsonl --out bad.jsonl
    compress one.jsonl --out x --run mien
    compress one.jsonl --out x --run run --compressor lab-4x
    teacher summaries --preset huge
    teacher summaries --tokenizer ./nowhere
    teacher answers --corpus gone.jsonl
    teacher answers --body {
    doctor --check weather
    doctor --teacher ./nowhere
    import nosuch one.jsonl --out x
    store info --run empty
    store verify --run nowhere
    store export --run empty --out x
    """.strip().splitlines()
]
"""Command lines that are wrong, each in one thing; `run` has a store, and no trial."""


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
    samples.write(tmp_path / "run" / "store")
    return tmp_path


def test_input_errors_come_before_torch(folder):
    results, errors = tried(LINES, folder)
    late = [line for line, result in zip(LINES, results, strict=True) if result != ["2", "False"]]
    assert late == [], errors
    assert errors.count("error: ") == len(LINES)
    assert errors.count("  line 2: document_id is missing") == 4
    assert {path.name for path in folder.iterdir()} == {"bad.jsonl", "one.jsonl", "empty", "run"}


def test_what_the_store_lacks_is_said_before_torch(folder):
    """By the layer's number and by the blocks behind it, and of a run without a store."""
    lines = [
        ["train", "--phase", "1", "--layers", "-2", "--run", "run"],
        ["train", "--phase", "1", "--layers", "-90", "--run", "run"],
        ["train", "--phase", "1", "--run", "empty"],
    ]
    results, errors = tried(lines, folder)
    assert results == [["2", "False"]] * len(lines), errors
    deep, absent, none = errors.splitlines()
    assert "no layer after 47 blocks here (-2), only after " in deep
    assert "layer -90 does not exist" in absent
    assert "empty/store: no feature store here" in none


def test_faults_of_one_line_are_all_shown(folder):
    lines = [
        ["train", "--phase", "44", "--size", "huge", "--reasoner", "./nowhere", "--start", "gone"],
        ["train", "--phase", "1", "--set", "model.tiem=1", "--set", "data.batch=2", "--live"],
        ["evaluate", "--phase", "44", "--scorer", "none", "--preset", "huge", "--run", "mien"],
    ]
    results, errors = tried(lines, folder)
    assert results == [["2", "False"]] * len(lines), errors
    faults = errors.split("error: ")[1:]
    assert [len(each.splitlines()) for each in faults] == [4, 2, 4], errors
    assert "(did you mean time?)" in faults[1] and "(did you mean batch_size?)" in faults[1]
