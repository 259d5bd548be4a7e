"""Who imports whom, and how long files and functions are: what the guards of the layout look at.

Read from the syntax trees; nothing is imported. The rules stand in `tests/test_layout.py`.
`python -m latentcomp.tools.layout` prints the folders of this checkout and what each imports.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE: Final = "latentcomp"
ROOT: Final = "(root)"
"""In place of a folder, for modules that lie in none, such as `cli.py`."""
NO_CODE: Final = frozenset({"tests"})
"""Root packages that the rules leave alone."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a module of the package by another one."""

    module: str
    """Who imports, such as `latentcomp.store.read.reader`."""
    target: str
    """The module that is imported: for `from .layout import Layout` the one that ends in
    `.layout`."""
    line: int

    @property
    def arrow(self) -> tuple[str, str]:
        """Its two folders."""
        return folder_of(self.module), folder_of(self.target)


@dataclass(frozen=True, slots=True)
class Length:
    """Lines of a file or of a function."""

    name: str
    """`store/write/writer.py`, or with a function `commands/train.py:train`."""
    lines: int


def folders(root: Path) -> tuple[str, ...]:
    """Names of the packages right below the root, tests left out, in alphabetical order."""
    names = {path.parent.name for path in root.glob("*/__init__.py")}
    return tuple(sorted(names - NO_CODE))


def modules(root: Path) -> dict[str, Path]:
    """Modules of the package by their full names, with their files."""
    files = sorted(root.glob("*.py"))
    files += sorted(file for folder in folders(root) for file in (root / folder).rglob("*.py"))
    return {_module_name(file.relative_to(root)): file for file in files}


def _module_name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join((PACKAGE, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def folder_of(module: str) -> str:
    """The folder right below the root that a module lies in, or is; `ROOT` if there is none.

    Args:
        module: full name; a name of two parts is a folder unless it is `cli` or `__main__`.
    """
    parts = module.split(".")
    return ROOT if len(parts) == 1 or module in _ROOT_MODULES else parts[1]


_ROOT_MODULES: Final = frozenset({f"{PACKAGE}.cli", f"{PACKAGE}.__main__"})


def imports(known: Mapping[str, Path]) -> list[Import]:
    """Every import of one module of `known` by another one, by module; lazy ones count.

    Args:
        known: module names and their files, as `modules` gives them.
    """
    return [
        Import(module, target, line)
        for module, file in known.items()
        for name, line in imported_names(module, file)
        if (target := _longest_known(name, known)) not in (None, module)
    ]


def imported_names(module: str, file: Path) -> Iterator[tuple[str, int]]:
    """Absolute names that a module imports anywhere, functions included, and their lines.

    `from ..store import read` in `latentcomp.train.loop` gives `latentcomp.store.read`.
    """
    home = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(part for part in (_base(home, node.level), node.module) if part)
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def _base(home: str, level: int) -> str:
    """Where a relative import of so many dots begins; nowhere when there are none."""
    parts = home.split(".")
    return ".".join(parts[: len(parts) - level + 1]) if level else ""


def _longest_known(name: str, known: Mapping[str, Path]) -> str | None:
    """The module that an imported name lies in: itself, or the nearest one before a dot."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


def circles(edges: Sequence[Import]) -> list[tuple[str, ...]]:
    """Groups of modules that import one another, now or lazily, each in order of names."""
    targets: dict[str, set[str]] = {}
    for one in edges:
        targets.setdefault(one.module, set()).add(one.target)
    reach = {module: _reachable(module, targets) for module in targets}
    groups = {
        tuple(sorted(other for other in seen if module in reach.get(other, ())))
        for module, seen in reach.items()
        if module in seen
    }
    return sorted(groups)


def _reachable(module: str, targets: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(targets.get(module, ()))
    while waiting:
        if (one := waiting.pop()) not in seen:
            seen.add(one)
            waiting += targets.get(one, ())
    return seen


def arrows(edges: Sequence[Import]) -> Counter[tuple[str, str]]:
    """How often one folder imports from another one."""
    return Counter(one.arrow for one in edges if one.arrow[0] != one.arrow[1])


def file_lengths(root: Path, files: Sequence[Path]) -> list[Length]:
    """Lines of each file."""
    return [
        Length(str(file.relative_to(root)), len(file.read_text(encoding="utf-8").splitlines()))
        for file in files
    ]


def function_lengths(root: Path, files: Sequence[Path]) -> list[Length]:
    """Lines of each function from `def` to its end, signature and docstring included."""
    return [
        Length(f"{file.relative_to(root)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for file in files
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def main() -> None:
    """Print lines, modules and imports of every folder, and circles."""
    root = Path(__file__).resolve().parents[1]
    known = modules(root)
    edges = imports(known)
    between = arrows(edges)
    for folder in (*folders(root), ROOT):
        files = [file for name, file in known.items() if folder_of(name) == folder]
        lines = sum(length.lines for length in file_lengths(root, files))
        targets = sorted(target for source, target in between if source == folder)
        print(f"{folder:12} {len(files):3} files {lines:6,} lines  imports {', '.join(targets)}")
    print(f"{len(between)} arrows between folders; circles of modules: {circles(edges) or 'none'}")


if __name__ == "__main__":
    main()
