"""Compressors that ship with the package."""

from pathlib import Path
from typing import Final

SHIPPED: Final = Path(__file__).resolve().parents[1] / "lab" / "shipped"
"""A folder for each recipe, as `latentcomp ship` writes it."""
NAMES: Final = {"lab-4x": "phase-4"}
"""What users call them -> the recipe that they were trained by."""


def shipped_names() -> tuple[str, ...]:
    """Every name that a shipped compressor can be had by."""
    recipes = sorted(path.parent.name for path in SHIPPED.glob("*/latest.json"))
    known = [name for name, recipe in NAMES.items() if recipe in recipes]
    return (*known, *recipes)


def shipped_folder(name: str) -> Path | None:
    """Where the compressor of this name lies; None if none of this name ships."""
    return SHIPPED / NAMES.get(name, name) if name in shipped_names() else None
