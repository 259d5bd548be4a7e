"""The notebooks run, and so does the code of README and of docs/python.md."""

import json
import re
import sys
from pathlib import Path

import pytest

from latentcomp.cli import run
from latentcomp.tools.notebook import code_cells, execute

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def blocks(page):
    """Python of a page, block by block."""
    text = (ROOT / page).read_text()
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook, tmp_path):
    printed = " ".join(execute(notebook, tmp_path))
    assert "R2 of the day" in printed or "compressed" in printed


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_it_printed_and_names_no_machine(notebook):
    content = json.loads(notebook.read_bytes())
    cells = code_cells(content)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell["outputs"] for cell in cells)
    assert not re.search(r"/(home|root|work|tmp|Users)/", json.dumps(content))


def test_two_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["compressor", "store"]


def test_a_cell_that_fails_fails_the_notebook(tmp_path):
    cells = [
        {"cell_type": "code", "source": ["x = 1\n", "x + 1"]},
        {"cell_type": "code", "source": ["1 / 0"]},
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells[:1]}))
    assert execute(path, tmp_path) == ["2\n"]
    path.write_text(json.dumps({"cells": cells}))
    with pytest.raises(ZeroDivisionError):
        execute(path, tmp_path)


def test_the_code_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("README.md")
    exec(compile(code, "README.md", "exec"), {})
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Who is the mentor of Paho\? Raku \d+ bytes of latents", line), "right"


@pytest.mark.slow
def test_the_code_of_the_python_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["extract", "--documents", "3", "--seed", "3", "--tokens-per-second", "1000"]) == 0
    assert (
        run(["corpus", "--documents", "2", "--split", "test", "--seed", "5", "--out", "held"]) == 0
    )
    space: dict[str, object] = {}
    for number, code in enumerate(blocks("docs/python.md")):
        exec(compile(code, f"docs/python.md, block {number + 1}", "exec"), space)
    assert "retention" in str(space["result"])
    assert "torch" in sys.modules
