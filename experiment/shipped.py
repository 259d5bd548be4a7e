"""Compressors that ship with the package, and those of earlier lab teachers in the repository."""

from pathlib import Path
from typing import Final

_LAB: Final = Path(__file__).resolve().parents[1] / "lab"
SHIPPED: Final = _LAB / "shipped"
"""Of the lab teacher: a folder for each recipe, as `latentcomp ship` writes it."""
OLDER: Final = _LAB / "history" / "shipped"
"""Likewise of the lab teacher of generator 3; not in the package."""
REAL: Final = _LAB / "real"
"""Of models that are fetched: a folder for each, by the model's name; `latentcomp ship`."""
NAMES: Final = {"lab-4x": "phase-4"}
"""What users call those of the lab -> the recipe that they were trained by."""
OLDER_NAMES: Final = {"lab3-4x": "phase-4"}
"""Likewise of generator 3."""


def shipped_names() -> tuple[str, ...]:
    """Every name that a shipped compressor can be had by."""
    recipes, older = _within(SHIPPED), _within(OLDER)
    known = [name for name, recipe in NAMES.items() if recipe in recipes]
    known += [name for name, recipe in OLDER_NAMES.items() if recipe in older]
    return (*known, *recipes, *real_names())


def real_names() -> tuple[str, ...]:
    """The fetched models that a shipped compressor reads, each the name of its compressor too."""
    return _within(REAL)


def real_folder(model: str) -> Path:
    """Where the compressor of a fetched model lies, or is to be put."""
    return REAL / model


def shipped_folder(name: str) -> Path | None:
    """Where the compressor of this name lies; None if none of this name ships."""
    if name in real_names():
        return real_folder(name)
    if name not in shipped_names():
        return None
    if name in OLDER_NAMES:
        return OLDER / OLDER_NAMES[name]
    return SHIPPED / NAMES.get(name, name)


def shipped_by(recipe: str) -> tuple[Path, ...]:
    """Compressors of this recipe, that of the lab teacher first; empty if none ships."""
    return tuple(root / recipe for root in (SHIPPED, OLDER) if recipe in _within(root))


def _within(root: Path) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in root.glob("*/latest.json")))
