"""Nothing that reads a file can run code from it."""

import re
from pathlib import Path

import pytest

from latentcomp.tools import layout

ROOT = Path(__file__).resolve().parents[2]
UNSAFE = re.compile(
    r"\b(import pickle|from pickle|cPickle|import dill|import joblib|import shelve|yaml\.load\()"
    r"|torch\.load\(|allow_pickle=True|trust_remote_code=True|\beval\(|\bexec\("
)
"""What would. `model.eval()` is torch's, and none of it."""


def unsafe(text):
    """What of it a file has."""
    return [match[0] for match in UNSAFE.finditer(text) if text[: match.start()][-1:] != "."]


def test_no_module_reads_files_in_a_way_that_runs_code():
    files = layout.modules(ROOT).values()
    assert len(files) > 200
    bad = {str(file.relative_to(ROOT)) for file in files if unsafe(file.read_text())}
    assert bad == {"tools/notebook.py"}, "which runs the notebooks of this repository"


@pytest.mark.parametrize("line", ["torch.load(path)", "import pickle", "x(trust_remote_code=True)"])
def test_the_guard_sees_it(line):
    assert unsafe(line)
    assert not unsafe("model.eval()")
