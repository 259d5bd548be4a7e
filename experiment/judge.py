"""The judge: trials of a phase over seeds, against those of its reference, through the gate.

It takes evaluations that lie in the run folder, checks that they may be compared, computes the
evidence from their answers, and appends the verdict to the phase's history.
"""

import contextlib
from datetime import UTC, datetime

from ..common.errors import CheckpointError
from ..train.checkpoint import MODEL, exists, read_state
from .ablations import ABLATIONS
from .eligibility import below_budget
from .evidence import evidence_of_comparison, evidence_of_grid, evidence_of_one
from .gates import Evidence, apply_gate
from .gather import Gathered, gather
from .history import record_verdict
from .looks import read_looks, seeds_seen
from .phases import Phase, phase
from .run_folder import RunFolder
from .siblings import sibling_outcomes
from .sizes import size_of
from .verdict import SiblingOutcome, Verdict


def judge_phase(run: RunFolder, number: int, *, seed: int | None = None) -> Verdict:
    """Judge a phase on what was evaluated, and record the verdict.

    Args:
        run: the run folder.
        number: of the phase.
        seed: of the held-out documents; those of the newest evaluation of the phase when None.

    Returns:
        The verdict that holds.

    Raises:
        PhaseError: an evaluation is missing, or the trials may not be compared; names the field
            and the command that helps.
    """
    judged = phase(number)
    gathered = gather(run, judged, seed)
    verdict = weigh(judged, gathered)
    # Other training seeds, and the trials compared with, are measured on the same documents: they
    # are no earlier attempt.
    names = {each.trial.recipe for each in gathered.everything()}
    trained = (each for name in names for each in run.trials(name) if exists(each.checkpoint))
    own = [each.weights_sha256() for each in trained]
    seen = seeds_seen(read_looks(run, _weights(run)), judged.recipe, own)
    return record_verdict(run, verdict, seen)


def _weights(run: RunFolder) -> set[str]:
    """SHA-256 of all weights that a run has or put aside; of those that can be read."""
    known = set()
    for root in run.checkpoints():
        with contextlib.suppress(CheckpointError):
            known.add(read_state(root).sha256[MODEL])
    return known


def weigh(judged: Phase, gathered: Gathered) -> Verdict:
    """The verdict on evaluations: a function of their answers; nothing is recorded."""
    every = gathered.everything()
    records = [gathered.state(each).known_trial for each in every]
    skipped = sorted({number for record in records for number in record.skipped})
    verdict = apply_gate(judged.number, judged.gate, _evidence(judged, gathered), skipped=skipped)
    size = size_of(records[0].recipe, gathered.catalogue[0])
    return verdict.model_copy(
        update={
            "evaluations": {
                str(each.folder.path.relative_to(gathered.run.path)): each.answers_sha256
                for each in every
            },
            "teacher_sha256": gathered.state(every[0]).spec.teacher.weights_sha256,
            "size": size.name if size else None,
            "siblings": _siblings(judged, gathered),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )


def _siblings(judged: Phase, gathered: Gathered) -> tuple[SiblingOutcome, ...]:
    """Of the trial with the lowest training seed."""
    first = gathered.trials[min(gathered.trials)]
    return sibling_outcomes(judged.number, first.rows, seed=first.recorded.seed)


def _evidence(judged: Phase, gathered: Gathered) -> Evidence:
    states = [gathered.state(each) for each in gathered.everything()]
    ratio, below = judged.recipe.ratios[0], below_budget(states, gathered.catalogue)
    if judged.grid and (missing := [row for row in ABLATIONS if row not in gathered.grid]):
        below = below or f"not measured: {', '.join(missing)}; the grid is judged whole"
    trials, reference, grid = gathered.trials, gathered.reference, gathered.grid
    if grid:
        return evidence_of_grid(trials, grid, phase_ratio=ratio, below_budget=below)
    if reference:
        return evidence_of_comparison(trials, reference, phase_ratio=ratio, below_budget=below)
    (measured,) = trials.values()
    return evidence_of_one(measured, phase_ratio=ratio, below_budget=below)
