"""Verdicts that ship with the package: what was shown of the lab teacher, once and for all.

They satisfy the order of the phases for a run with the same teacher, so that one may begin at
phase 4. Each is bound to the teacher's weights; with another teacher none of them counts.
"""

from pathlib import Path
from typing import Final

from ..common.journal import read_lines
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
