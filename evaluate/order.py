"""The order of the phases is binding: what has to be known before one may start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..common import atomic
from ..common.errors import CheckpointError, PhaseError
from ..common.record import read_record
from ..common.terminal import stderr_console
from ..compressor import checkpoint
from .gates import GATES
from .verdict import Status, Verdict

Verdicts = Mapping[int, Verdict]
"""Recorded verdicts by phase."""


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """A verdict that another phase needs first."""

    phase: int
    """The earlier phase."""
    status: Status | None = None
    """The verdict it must have; None where any recorded verdict will do."""

    def met_by(self, verdicts: Verdicts) -> bool:
        """Whether the recorded verdicts hold it."""
        found = verdicts.get(self.phase)
        return found is not None and self.status in (None, found.status)


_EXTRA: Mapping[int, tuple[Prerequisite, ...]] = {8: (Prerequisite(1, "passed"),)}
"""Transfer makes sense only where the control got information through."""


def prerequisites(phase: int) -> tuple[Prerequisite, ...]:
    """What a phase needs: a verdict on the one before it, and phase 8 a pass of phase 1."""
    known = [gate.phase for gate in GATES]
    before = (Prerequisite(phase - 1),) if phase - 1 in known else ()
    return _EXTRA.get(phase, ()) + before


def missing(phase: int, verdicts: Verdicts) -> tuple[Prerequisite, ...]:
    """Prerequisites that the recorded verdicts do not meet, in the order of the phases."""
    return tuple(needed for needed in prerequisites(phase) if not needed.met_by(verdicts))


def require(phase: int, verdicts: Verdicts, *, skip: bool = False) -> tuple[int, ...]:
    """Lets a phase start, or says what has to come first.

    Args:
        phase: the one that is to start.
        verdicts: those of the same run.
        skip: the explicit flag that lets it start anyway.

    Returns:
        The phases that were skipped on the way here, for every artifact that follows: earlier ones
        without a verdict or with one that rests on less than the plan asks for, one that had to
        pass and did not, and what earlier verdicts inherited.

    Raises:
        PhaseError: a prerequisite is not met, and `skip` is not set.
    """
    unmet = missing(phase, verdicts)
    if unmet and not skip:
        raise PhaseError(_first_step(phase, unmet[0], verdicts))
    earlier = [gate.phase for gate in GATES if gate.phase < phase]
    left_out = {number for number in earlier if number not in verdicts}
    left_out |= {number for number in earlier if number in verdicts and verdicts[number].thin}
    left_out |= {needed.phase for needed in unmet}
    for number in earlier:
        left_out |= set(verdicts[number].skipped) if number in verdicts else set()
    return tuple(sorted(left_out))


def _first_step(phase: int, needed: Prerequisite, verdicts: Verdicts) -> str:
    found = verdicts.get(needed.phase)
    if found is None:
        return (
            f"phase {phase} needs a verdict on phase {needed.phase} first: run "
            f"`latentcomp train --phase {needed.phase}` and "
            f"`latentcomp evaluate --phase {needed.phase}`, or pass --skip-order, "
            "which is recorded in everything that follows"
        )
    return (
        f"phase {phase} needs phase {needed.phase} to have {needed.status}, and it is "
        f"{found.status} ({found.reason}): see docs/experiment_plan.md, section 6, or pass "
        "--skip-order, which is recorded in everything that follows"
    )


def write_verdict(run: Path, verdict: Verdict) -> Path:
    """Records a verdict as `phases/<n>/verdict.json`; returns the path."""
    path = _verdict_path(run, verdict.phase)
    atomic.write_text(path, verdict.model_dump_json(indent=2) + "\n")
    return path


def tell_user(line: str) -> None:
    """One line on stderr."""
    stderr_console().print(line, style="yellow")


def read_verdicts(run: Path, tell: Callable[[str], None] = tell_user) -> dict[int, Verdict]:
    """Every verdict of a run folder that is on the weights which lie there now.

    Args:
        run: the run folder.
        tell: is told each verdict that is left out, and why.

    Raises:
        LatentcompError: one of them is damaged; names the file.
    """
    found: dict[int, Verdict] = {}
    for gate in GATES:
        path = _verdict_path(run, gate.phase)
        if not path.exists():
            continue
        verdict = read_record(Verdict, path)
        if fault := outlived(run, verdict):
            tell(f"{path}: left out, {fault}")
        else:
            found[gate.phase] = verdict
    return found


def outlived(run: Path, verdict: Verdict) -> str:
    """Why a recorded verdict says nothing of the run's checkpoint; empty if it does."""
    again = f"run `latentcomp evaluate --phase {verdict.phase}` again"
    root = phase_folder(run, verdict.phase) / "checkpoint"
    try:
        now = checkpoint.open_checkpoint(root).state.sha256[checkpoint.MODEL]
    except CheckpointError as error:
        return f"its checkpoint cannot be opened ({error})"
    if verdict.checkpoint_sha256 is None:
        return f"it does not say which weights were judged; {again}"
    if verdict.checkpoint_sha256 != now:
        return (
            f"it is on weights {verdict.checkpoint_sha256[:12]}..., and {root} now holds "
            f"{now[:12]}...; {again}"
        )
    return ""


def phase_folder(run: Path, phase: int) -> Path:
    """Where a run keeps what belongs to a phase."""
    return run / "phases" / str(phase)


def _verdict_path(run: Path, phase: int) -> Path:
    return phase_folder(run, phase) / "verdict.json"
