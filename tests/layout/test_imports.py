"""Who may import whom: folders in one direction, no circle of modules."""

from pathlib import Path

import pytest

from latentcomp.tools import layout

ROOT = Path(__file__).resolve().parents[2]

ORDER = (
    {"common"},
    {"corpus"},
    {"store"},
    {"models"},
    {"compressor"},
    {"reasoner"},
    {"extract", "train", "evaluate"},
    {"experiment", "lab", "doctor"},
    {"report"},
    {"api"},
    {"commands"},
    {layout.ROOT},
    {"tools"},
)
"""Folders import from lines above their own, never from their own line or from one below it."""

UPWARD: set[tuple[str, str]] = set()
"""Imports against the order that are still there, module and target. Only to be shortened."""


def planted(root, files):
    """A small package of these files, for guards to be tried on; a folder gets its `__init__`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent != root:
            (path.parent / "__init__.py").touch()
        path.write_text(text)
    return layout.imports(layout.modules(root))


def against_the_order(edges):
    """Imports of a folder by one that stands no lower in `ORDER`; the root's version is free."""
    level = {folder: number for number, line in enumerate(ORDER) for folder in line}
    return {
        (edge.module, edge.target)
        for edge in edges
        if edge.target != layout.PACKAGE
        if edge.arrow[0] != edge.arrow[1]
        if level.get(edge.arrow[0], 0) <= level.get(edge.arrow[1], 0)
    }


def test_every_folder_has_its_place_in_the_order():
    assert set(layout.folders(ROOT)) <= set.union(*ORDER)


def test_folders_import_in_one_direction():
    edges = layout.imports(layout.modules(ROOT))
    assert edges
    assert against_the_order(edges) - UPWARD == set(), "not in the order of folders"
    assert UPWARD - against_the_order(edges) == set(), "gone: take it out of UPWARD"


@pytest.mark.parametrize(
    "line",
    [
        "from ..train.loop import fit",
        "from .. import train",
        "from ..train import loop",
        "import latentcomp.train.loop",
        "from latentcomp.train import loop",
        "def later():\n    from ..train.loop import fit",
        "if TYPE_CHECKING:\n    from ..train.loop import fit",
    ],
)
def test_the_import_guard_sees_every_form(tmp_path, line):
    files = {"train/loop.py": "", "extract/module.py": line}
    ((module, target),) = against_the_order(planted(tmp_path, files))
    assert module == "latentcomp.extract.module" and target.startswith("latentcomp.train")


@pytest.mark.parametrize(
    "line", ["from .train import fit", "from ..store import reader", "from .. import __version__"]
)
def test_the_import_guard_leaves_the_rest_alone(tmp_path, line):
    files = {
        "__init__.py": "",
        "train/loop.py": "",
        "store/reader.py": "",
        "extract/train.py": "",
        "extract/module.py": line,
    }
    edges = planted(tmp_path, files)
    assert [edge.line for edge in edges] == [1]
    assert against_the_order(edges) == set()


@pytest.mark.parametrize(
    ("module", "target"),
    [
        (low, high)
        for number, line in enumerate(ORDER)
        for low in sorted(line - {layout.ROOT})
        for high in sorted(set.union(*ORDER[number:]) - {low, layout.ROOT})
    ],
)
def test_every_pair_of_folders_is_guarded(tmp_path, module, target):
    files = {f"{target}/one.py": "", f"{module}/two.py": f"from ..{target}.one import name"}
    assert len(against_the_order(planted(tmp_path, files))) == 1


def test_no_module_imports_itself_through_others():
    assert layout.circles(layout.imports(layout.modules(ROOT))) == []


@pytest.mark.parametrize(
    ("back", "circle"),
    [
        ("from .a import x", True),
        ("class C:\n    from . import a", True),
        ("def later():\n    from .a import x", True),
        ("if TYPE_CHECKING:\n    from .a import x", True),
        ("from .d import x", False),
    ],
)
def test_the_circle_guard_sees_lazy_imports_too(tmp_path, back, circle):
    files = {"a.py": "from . import b", "b.py": "from .c import y", "c.py": back, "d.py": ""}
    edges = planted(tmp_path, {f"store/{name}": text for name, text in files.items()})
    group = tuple(f"latentcomp.store.{name}" for name in "abc")
    assert layout.circles(edges) == ([group] if circle else [])
