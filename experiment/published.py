"""Verdicts that ship with the package: what was shown of the lab teacher, once and for all.

They satisfy the order of the phases for a run with the same teacher, so that one may begin at
phase 4. Each is bound to the teacher's weights; with another teacher none of them counts. Where the
lab teacher was trained on since, those of its earlier stage open the next phase as well, and their
phases are named as skipped in all that follows: nothing of them was shown of the weights of today.
"""

from pathlib import Path
from typing import Final

from ..common.journal import read_lines
from ..models.files import LAB_FOLDERS
from ..models.stages import TRAINING_FILE, stages_of
from .verdict import Verdict

PUBLISHED: Final = Path(__file__).resolve().parents[1] / "lab" / "published" / "verdicts.jsonl"


def read_published(teacher_sha256: str | None, path: Path | None = None) -> dict[int, Verdict]:
    """Published verdicts on a teacher, by phase; none for an unknown one.

    Raises:
        LatentcompError: the file is damaged.
    """
    verdicts = read_lines(Verdict, path or PUBLISHED)
    return {
        verdict.phase: verdict
        for verdict in verdicts
        if teacher_sha256 is not None and verdict.teacher_sha256 == teacher_sha256
    }


def read_earlier(teacher_sha256: str | None) -> dict[int, Verdict]:
    """Published verdicts on the latest earlier stage of the lab teacher that has any, by phase.

    Args:
        teacher_sha256: weights of a teacher; only those of the lab teacher have stages here.

    Returns:
        Each verdict with its own phase among those that it says are skipped.

    Raises:
        LatentcompError: a file is damaged.
    """
    for earlier in earlier_stages(teacher_sha256):
        if verdicts := read_published(earlier):
            return {
                number: one.model_copy(update={"skipped": tuple(sorted({*one.skipped, number}))})
                for number, one in verdicts.items()
            }
    return {}


def earlier_stages(teacher_sha256: str | None, folder: Path | None = None) -> tuple[str, ...]:
    """SHA-256 of the weights that each stage of the lab teacher went on from, the latest first.

    Args:
        teacher_sha256: weights of a teacher.
        folder: of the lab teacher with its record of training.

    Returns:
        Nothing where these are other weights than those of its last stage, or without a record.

    Raises:
        LatentcompError: the record is damaged.
    """
    folder = folder or LAB_FOLDERS["lab"]
    if teacher_sha256 is None or not (folder / TRAINING_FILE).is_file():
        return ()
    stages = stages_of(folder)
    if not stages or stages[-1].get("weights_sha256") != teacher_sha256:
        return ()
    inputs = [stage["provenance"]["inputs"] for stage in reversed(stages)]
    return tuple(each["after"] for each in inputs if "after" in each)
