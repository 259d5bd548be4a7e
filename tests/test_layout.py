"""The shape of the repository: what ships, make targets, CI, and what no code may do."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from latentcomp.commands.shipping import MOST_BYTES
from latentcomp.tools import layout

ROOT = Path(__file__).resolve().parents[1]
NOT_SHIPPED = {"tests", "tools", "benchmarks"}
LAB_BYTES = 50_000_000
"""Most that the package may take, lab models and all; a compressor of a real model comes on top."""
FOLDERS = layout.folders(ROOT)
ROOT_MODULES = {"__init__.py", "__main__.py", "cli.py"}


def package_files():
    """Python files of the package: the root's own and those of its sub-packages."""
    return list(layout.modules(ROOT).values())


def relative(path):
    return str(path.relative_to(ROOT))


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def included():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return config["tool"]["hatch"]["build"]["targets"]["wheel"]["include"]


def test_every_root_package_is_in_the_wheel():
    folders = set(FOLDERS) - NOT_SHIPPED
    listed = {entry.strip("/") for entry in included()}
    assert folders and folders <= listed
    assert {"*.py", "py.typed"} <= listed


def test_the_package_is_reached_through_one_link():
    link = ROOT / ".dev" / "latentcomp"
    assert link.is_symlink() and str(link.readlink()) == ".."
    assert link.resolve() == ROOT


def test_the_root_holds_its_three_modules_and_folders():
    assert {path.name for path in ROOT.glob("*.py")} == ROOT_MODULES
    assert (ROOT / "py.typed").is_file()


def absolute_imports(tree):
    """Lines that import the package by its name."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        if any(name.split(".")[0] == "latentcomp" for name in names):
            yield node.lineno


def test_imports_inside_the_package_are_relative():
    """So editors stay on the real files, and a copy of the package is whole."""
    files = package_files()
    tools = [path for path in files if relative(path).startswith("tools/")]
    assert tools and len(files) > 300
    found = {
        relative(path): lines for path in files if (lines := [*absolute_imports(tree_of(path))])
    }
    assert found == {}


def test_an_import_by_name_is_noticed():
    code = "import os\nfrom .a import b\nimport latentcomp.store\nfrom latentcomp import cli"
    assert list(absolute_imports(ast.parse(code))) == [3, 4]


def phase_comparisons(tree):
    """Lines that compare a phase with a number: `phase == 4`, `spec.phase in (1, 2)`."""

    def is_phase(node):
        name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        return re.fullmatch(r"(\w+_)?phase(_number|_id)?", name) is not None

    def has_number(node):
        return any(
            isinstance(part, ast.Constant) and type(part.value) is int for part in ast.walk(node)
        )

    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(is_phase, sides)) and any(
                has_number(side) for side in sides if not is_phase(side)
            ):
                yield node.lineno


def test_nobody_asks_which_phase_it_is():
    """Phases are data: code asks the spec what to do and never for its number."""
    guilty = [
        f"{relative(path)}:{line}"
        for path in package_files()
        for line in phase_comparisons(tree_of(path))
    ]
    assert guilty == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("if phase == 4: pass", True),
        ("if spec.phase >= 3: pass", True),
        ("x = 1 if args.phase in (1, 2) else 2", True),
        ("if gate.phase == phase: pass", False),
        ("if phase - 1 in known: pass", False),
        ("if phase is None: pass", False),
    ],
)
def test_the_phase_guard_sees_comparisons(code, found):
    assert bool(list(phase_comparisons(ast.parse(code)))) is found


def test_nothing_unpickles_or_runs_remote_code():
    for path in package_files():
        names = {name for name, _ in layout.imported_names("latentcomp.module", path)}
        tops = {name.split(".")[0] for name in names}
        assert tops.isdisjoint({"pickle", "cPickle", "dill", "joblib"}), path
        assert "torch.load" not in names, path
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) != ("torch", "load"), path
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                value = node.value
                assert isinstance(value, ast.Constant) and value.value is False, path


def test_constraints_pin_versions_and_no_hosts():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("torch==") for line in lines)
    assert [line for line in lines if "://" in line or "+cpu" in line] == []


def test_every_make_target_is_described():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(" ".join(re.findall(r"^\.PHONY:(.*)$", text, re.MULTILINE)).split())
    described = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    assert targets == described
    assert {"install", "demo", "test", "check", "help"} <= targets


def test_ci_runs_what_has_to_hold_in_the_order_of_cost():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert re.findall(r"^make (\S+)$", text, re.MULTILINE) == [
        "check",
        "test",
        "demo",
        "test-ladder",
    ]
    for target, needed in {
        "test-disk": {"store", "extract", "common", "tests/store", "tests/extract"},
        "test-notebooks": {"api", "docs/notebooks", "docs/python.md", "tests/docs"},
    }.items():
        guarded = re.search(
            rf"^if ! [^;]+unchanged.py ([^;]+); then\n  make {target}\nfi$", text, re.M
        )
        assert guarded, f"{target} runs when what it tests changed"
        watched = set(guarded[1].replace("\\", "").split())
        assert needed <= watched
        assert [path for path in watched if not (ROOT / path).exists()] == []


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_generic(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*command, str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("latentcomp-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"latentcomp"}
    assert not any(name.startswith("latentcomp/tests/") for name in names)
    models = {f"latentcomp/lab/{model}/config.json" for model in ("teacher", "student")}
    shipped = {"latentcomp/py.typed", "latentcomp/report/page.html.j2", *models}
    assert shipped <= set(names)
    assert "latentcomp/lab/shipped/phase-4/latest.json" in names
    assert not any(name.startswith("latentcomp/lab/history/") for name in names)
    sizes = {one.filename: one.file_size for one in zipfile.ZipFile(wheel).infolist()}
    real = sum(size for name, size in sizes.items() if name.startswith("latentcomp/lab/real/"))
    assert sum(sizes.values()) - real < LAB_BYTES
    assert real < MOST_BYTES * 1.01, "one compressor of a real model, and its record"
