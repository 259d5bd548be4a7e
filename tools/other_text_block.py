"""What nothing, another document and noise do to the reader, before and after it can guess."""

from pathlib import Path
from typing import Final

from ..evaluate.arms.table import ARMS
from ..evaluate.numbers import span
from ..evaluate.result import EvaluationResult
from .by_ratio import HEADLINES
from .measured_with import teacher_of

OTHER_TEXT: Final = "other_text.json"
_READ: Final = ("floor", "other_text", "gaussian", "shuffled", "compressed", "ceiling")
_FAMILY: Final = "order"


def other_text_block(results: Path) -> str:
    """Markdown: no document, another's text, noise and another's latents, over all and in a family.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    before = EvaluationResult.read(results / OTHER_TEXT)
    now = EvaluationResult.read(results / HEADLINES[0])
    lines = [
        f"From `docs/results/{OTHER_TEXT}` ({teacher_of(before)}, and the compressor that shipped "
        f"for it; {before.documents} held-out documents, seed {before.seed}) and "
        f"`docs/results/{HEADLINES[0]}` ({teacher_of(now)}; {now.documents:,}, seed {now.seed}). "
        "Right answers.",
        "",
        f"| the reasoner reads | before: all | before: `{_FAMILY}` | now: all | now: `{_FAMILY}` |",
        "|---|---|---|---|---|",
    ]
    cells = [cell for each in (before, now) for cell in (each.overall, each.families[_FAMILY])]
    for arm in _READ:
        figures = (span(cell.accuracy[arm]) for cell in cells)
        lines.append(f"| {ARMS[arm].label} (`{arm}`) | " + " | ".join(figures) + " |")
    return "\n".join(lines)
