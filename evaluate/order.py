"""The order of the phases is binding: what has to be known before one may start."""

from collections.abc import Mapping
from dataclasses import dataclass

from .gates import GATES, Status


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """A verdict that another phase needs first."""

    phase: int
    """The earlier phase."""
    status: Status | None = None
    """The verdict it must have; None where any recorded verdict will do."""


_EXTRA: Mapping[int, tuple[Prerequisite, ...]] = {8: (Prerequisite(1, "passed"),)}
"""Transfer makes sense only where the control got information through."""


def prerequisites(phase: int) -> tuple[Prerequisite, ...]:
    """What a phase needs: a verdict on the one before it, and phase 8 a pass of phase 1."""
    known = [gate.phase for gate in GATES]
    before = (Prerequisite(phase - 1),) if phase - 1 in known else ()
    return before + _EXTRA.get(phase, ())


def missing(phase: int, verdicts: Mapping[int, Status]) -> tuple[Prerequisite, ...]:
    """Prerequisites that the recorded verdicts do not meet, the one to run first coming first."""
    unmet = [
        needed
        for needed in prerequisites(phase)
        if needed.phase not in verdicts or needed.status not in (None, verdicts[needed.phase])
    ]
    return tuple(sorted(unmet, key=lambda needed: needed.phase))
