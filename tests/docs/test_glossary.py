"""The glossary: every term once, in order, on a line of its own; and words that code has left."""

import ast
import re
from pathlib import Path

import pytest

from latentcomp.tools import layout

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "docs" / "GLOSSARY.md").read_text().splitlines()
TERMS = [match[1] for line in LINES if (match := re.match(r"- \*\*(.+?)\*\*: \S", line))]

WORDS = {
    "interpreter's lock": "GIL",
    "Python's lock": "GIL",
    "whoever": "the process, the caller, the user",
    "nobody": "no process, no caller",
    "somebody": "a process, a user",
    "everybody": "every process, all",
    "quick_turns": "short_switch_interval",
    "Parcel": "FlatBatch",
    "Staging": "DeviceTransfer",
    "Ahead": "Prefetcher",
    "Shortcut": "MeanPoolResidual",
    "untold": "undated",
    "TeacherIdentity": "ModelIdentity",
}
"""Written anywhere in package code -> what to write instead. Only to be lengthened."""

NAMES = {"found", "told", "said", "asked", "taught", "stretches", "mutual", "straight", "bent"}
"""No variable, argument, field or function is called so: name the thing. Only to be lengthened."""

NEW = "corpus/chronicle4/"
"""Generator 4, written beside the clean-up; to be cleaned before a teacher is trained on it."""


def test_every_term_stands_once_and_in_order():
    assert len(TERMS) > 50
    assert len(TERMS) == sum(line.startswith("- ") for line in LINES), "not `- **term**: text`"
    keys = [term.lower() for term in TERMS]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("table", ["ARMS", "OBJECTIVES", "COMPRESSORS"])
def test_tables_that_contributors_extend_are_explained(table):
    assert any(f"`{table}`" in line for line in LINES)


def words_in(text):
    """Words of the list that a text contains, as whole words."""
    lines = re.sub(r"\s*\n\s*(# )?", " ", text)
    return {word for word in WORDS if re.search(rf"\b{re.escape(word)}\b", lines)}


def names_in(tree):
    """Names of the list that code gives to something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def dialect(path):
    """Words and names of a file that the lists do not want."""
    text = path.read_text(encoding="utf-8")
    return words_in(text) | (set(names_in(ast.parse(text))) & NAMES)


@pytest.mark.parametrize("folder", sorted({*layout.folders(ROOT), layout.ROOT}))
def test_words_that_code_has_left_do_not_come_back(folder):
    files = [
        file for name, file in layout.modules(ROOT).items() if layout.folder_of(name) == folder
    ]
    left = {str(file.relative_to(ROOT)): words for file in files if (words := dialect(file))}
    assert [name for name in left if not name.startswith(NEW)] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("# Nobody, nobody", {"nobody"}),
        ("    # the interpreter's\n    # lock", {"interpreter's lock"}),
        ("found = 1", {"found"}),
        ("for told in (): pass", {"told"}),
        ("class A:\n    asked: int", {"asked"}),
        ("def f(said): pass", {"said"}),
        ('"""What is found, as it was asked for."""', set()),
        ("x = y.found", set()),
    ],
)
def test_the_guard_of_words_sees_them(tmp_path, code, words):
    (tmp_path / "one.py").write_text(code)
    assert dialect(tmp_path / "one.py") == words
