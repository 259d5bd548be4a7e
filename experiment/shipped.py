"""Compressors that ship with the package."""

from pathlib import Path
from typing import Final

SHIPPED: Final = Path(__file__).resolve().parents[1] / "lab" / "shipped"
"""Of the lab: a folder for each recipe, as `latentcomp ship` writes it."""
REAL: Final = SHIPPED.parent / "real"
"""Of models that are fetched: a folder for each, by the model's name; `latentcomp ship`."""
NAMES: Final = {"lab-4x": "phase-4"}
"""What users call those of the lab -> the recipe that they were trained by."""


def shipped_names() -> tuple[str, ...]:
    """Every name that a shipped compressor can be had by."""
    recipes = _within(SHIPPED)
    known = [name for name, recipe in NAMES.items() if recipe in recipes]
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
    return SHIPPED / NAMES.get(name, name) if name in shipped_names() else None


def _within(root: Path) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in root.glob("*/latest.json")))
