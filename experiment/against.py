"""What the trials of a phase keep against those of its reference, cell by cell."""

from ..evaluate.compare import Comparison, PairedCell
from .gather import regather
from .phases import Phase
from .run_folder import RunFolder
from .verdict import Verdict


def against_reference(
    run: RunFolder, judged: Phase, verdict: Verdict
) -> dict[str, dict[str, PairedCell]]:
    """By age, by replaced values and by chunks read, on the evaluations of a verdict.

    Args:
        run: the run folder.
        judged: a phase that is compared with another one.
        verdict: on it.

    Returns:
        By field of `Past` and by bin; empty where no question says where its answer stands.

    Raises:
        PhaseError: an evaluation is gone, or may not be judged or compared any more.
    """
    gathered = regather(run, judged, verdict.evaluations)
    sides = (gathered.trials, gathered.reference)
    ours, theirs = ({seed: each.rows for seed, each in side.items()} for side in sides)
    return Comparison(ours, theirs, seed=verdict.seed or 0).by_past()
