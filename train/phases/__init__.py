"""The ladder: every phase is one literal of data, and nothing else knows phase numbers."""

from .catalog import PHASES, phase
from .spec import PhaseSpec, Weighted

__all__ = ["PHASES", "PhaseSpec", "Weighted", "phase"]
