"""Compressors trained beside each other for all ratios, from their evaluations in `attempts/`."""

from pathlib import Path
from typing import Final

from ..evaluate.numbers import span
from ..evaluate.result import EvaluationResult
from .measured_with import teacher_of

ARMS: Final = {
    "answer": "the recipe of phase 4 (went on, and ships)",
    "reconstruction": "with 0.05 of reconstruction",
    "adapters": "with adapters of rank 8: **the reader is not frozen**",
}
"""Arm -> what it is."""
RATIOS: Final = (4, 8, 16)


def read_arm(results: Path, arm: str, ratio: int) -> EvaluationResult:
    """One evaluation. Raises: LatentcompError, the file is missing or damaged."""
    return EvaluationResult.read(results / "attempts" / f"lab4_ratios_{arm}_{ratio}x.json")


def arms_block(results: Path) -> str:
    """Markdown of retention at each ratio, a row for each arm.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    first = read_arm(results, "answer", RATIOS[0])
    lines = [
        f"From `docs/results/attempts/lab4_ratios_*.json` ({teacher_of(first)}; "
        f"{first.documents} held-out documents, seed {first.seed}; trained beside each other for "
        "the same time, one seed). Retention.",
        "",
        "| arm | steps | " + " | ".join(f"{ratio}x" for ratio in RATIOS) + " | `holder` at 4x |",
        "|---" * (len(RATIOS) + 3) + "|",
    ]
    for arm, what in ARMS.items():
        read = [read_arm(results, arm, ratio) for ratio in RATIOS]
        kept = [span(each.overall.retention["compressed"]) for each in read]
        unasked = span(read[0].families["holder"].retention["compressed"])
        lines.append(f"| {what} | {read[0].steps:,} | " + " | ".join([*kept, unasked]) + " |")
    return "\n".join(lines)
