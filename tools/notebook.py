"""Running a notebook without Jupyter: its code cells in order, in one namespace.

`python -m latentcomp.tools.notebook docs/notebooks/*.ipynb` runs them in an empty folder and keeps
what they printed as their outputs. A test runs them too.
"""

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..common import atomic


def execute(notebook: Path, folder: Path) -> list[str]:
    """Run a notebook in a folder; returns what each code cell printed, its last value included.

    Raises:
        Exception: whatever a cell raises.
    """
    space: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    with _inside(folder):
        for number, cell in enumerate(code_cells(json.loads(notebook.read_bytes()))):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                _run("".join(cell["source"]), f"{notebook.name}, cell {number + 1}", space)
            printed.append(out.getvalue())
    return printed


def code_cells(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Cells of a notebook that are run."""
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def _run(code: str, name: str, space: dict[str, Any]) -> None:
    tree = ast.parse(code, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), space)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), name, "eval"), space)
        if value is not None:
            print(repr(value))


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def main() -> None:
    """Run the notebooks that are named and keep their outputs."""
    for path in map(Path, sys.argv[1:]):
        path = path.resolve()
        with tempfile.TemporaryDirectory(prefix="latentcomp-notebook-") as folder:
            printed = execute(path, Path(folder))
        content = json.loads(path.read_bytes())
        for number, (cell, text) in enumerate(zip(code_cells(content), printed, strict=True)):
            cell["execution_count"] = number + 1
            lines = text.splitlines(keepends=True)
            cell["outputs"] = (
                [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
            )
        atomic.write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
