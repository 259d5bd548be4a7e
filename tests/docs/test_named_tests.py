"""Pages that name tests: every one exists, and every promise of the format has one."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECURITY, FORMAT = ROOT / "docs" / "security.md", ROOT / "store" / "FORMAT.md"
MEASURES = ROOT / "docs" / "measures.md"
PLANTED = "tests/experiment/test_planted_faults.py"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def functions_of(path):
    """Names of the test functions of a file, those within classes included."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


@pytest.mark.parametrize("page", [SECURITY, FORMAT, MEASURES], ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page):
    named = NAMED.findall(page.read_text(encoding="utf-8"))
    assert len(named) > 15
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert not name or name in functions_of(path), f"{path}::{name}"


def test_every_numbered_promise_of_the_format_names_its_test():
    text = FORMAT.read_text(encoding="utf-8")
    promises, _, table = text.partition("## Which test holds which promise")
    numbers = re.findall(r"^ *(\d+a?)\. ", promises, re.MULTILINE)
    rows = re.findall(r"^\| (\d+a?) \| (.*) \|$", table, re.MULTILINE)
    assert len(numbers) > 15 and [number for number, _ in rows] == numbers
    assert all(NAMED.search(row) for _, row in rows)


def test_every_line_of_a_table_of_the_security_page_names_a_test():
    lines = [line for line in SECURITY.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    body = [line for line in lines if "---" not in line and not line.endswith("| test |")]
    assert len(body) > 15
    assert [line for line in body if not NAMED.search(line)] == []


def claims(text):
    """Paragraphs and points of a page that are no heading, no table and no introduction."""
    _, _, body = text.partition("\n## ")
    for block in re.split(r"\n\n|\n(?=- )|\n(?=\|)|\n(?=## )", f"## {body}"):
        words = re.sub(r"^##[^\n]*\n?", "", block).strip()
        if words and words[0] != "|" and not re.fullmatch(r"\*\*[^*]+\*\*", words):
            yield words


def test_every_claim_in_words_of_the_security_page_names_its_test_or_says_that_it_has_none():
    made = list(claims(SECURITY.read_text(encoding="utf-8")))
    assert len(made) > 6
    assert [one for one in made if not NAMED.search(one) and "not tested" not in one] == []
    planted = "# Page\nwords\n\n## One\nIt holds.\n- And this (`tests/a.py::test_b`).\n"
    assert list(claims(planted)) == ["It holds.", "- And this (`tests/a.py::test_b`)."]


def test_every_planted_fault_is_in_the_table_of_its_page():
    _, _, table = MEASURES.read_text(encoding="utf-8").partition("## Faults that are planted")
    named = {f"{path}::{name}" for path, name in NAMED.findall(table)}
    own = functions_of(PLANTED) - {
        "test_what_is_said_to_be_planted_elsewhere_is",
        "test_without_a_fault_the_phase_passes",
    }
    tree = ast.parse((ROOT / PLANTED).read_text(encoding="utf-8"))
    (elsewhere,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ELSEWHERE"
    )
    others = {f"tests/experiment/{file}.py::{name}" for file, name in elsewhere.values()}
    assert named == {f"{PLANTED}::{name}" for name in own} | others
