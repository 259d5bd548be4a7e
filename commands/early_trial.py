"""Which trial is measured and on which documents, looked at before torch is imported."""

from pathlib import Path

from ..experiment.named_trial import require_known, trial_name
from ..experiment.present_run import SHIPPED_INSTEAD, TEACHER_INSTEAD, require_run
from ..experiment.run_folder import RunFolder
from ..models.world import generator_for
from .early import check_generated, refuse_all


def check_trial(
    run: Path,
    phase: int | None,
    recipe: str | None,
    checkpoint: Path | None = None,
    *,
    alone: bool = False,
) -> None:
    """Refuse a run folder, a phase and a name that are not there.

    Args:
        run: run folder.
        phase: of the trial; the default one where neither it nor a recipe is named.
        recipe: name of the trial, in place of a phase.
        checkpoint: another checkpoint, which needs no trial.
        alone: whether only the teacher is measured, which needs none either.

    Raises:
        UsageError, PhaseError, CheckpointError: what is not there, and what is.
    """
    without = TEACHER_INSTEAD if alone else SHIPPED_INSTEAD
    _, name = refuse_all(lambda: require_run(run, without), lambda: trial_name(recipe, phase))
    if checkpoint is None and not alone:
        require_known(RunFolder(run), name)


def check_world(
    corpus: Path | None, preset: str, split: str, teacher: str | None, generator: int | None
) -> None:
    """Refuse documents that no generator makes.

    Args:
        corpus: given documents, for which the rest says nothing.
        preset: size of generated documents.
        split: their names and values.
        teacher: who reads; None: the checkpoint's, which any generator may suit.
        generator: version, where it was given.

    Raises:
        CorpusError: names what there is.
        TeacherError: the teacher's record is damaged.
    """
    if corpus is not None:
        return
    known = teacher is not None or generator is not None
    check_generated(preset, split, generator_for(teacher or "", generator) if known else None)
