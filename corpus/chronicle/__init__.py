"""Chronicles: dated documents with exactly one right answer to every question."""

from .generator import generate
from .presets import PRESETS, Preset, preset

__all__ = ["PRESETS", "Preset", "generate", "preset"]
