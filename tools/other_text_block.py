"""What another document does to the reader, from `docs/results/other_text.json`."""

from pathlib import Path
from typing import Final

from ..evaluate.arms.table import ARMS
from ..evaluate.cell import Cell
from ..evaluate.numbers import span
from ..evaluate.result import EvaluationResult
from .measured_with import teacher_of

OTHER_TEXT: Final = "other_text.json"
_READ: Final = ("floor", "other_text", "gaussian", "shuffled", "compressed", "ceiling")


def other_text_block(results: Path) -> str:
    """Markdown: no document, another's text, noise and another's latents, over all and by family.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    measured = EvaluationResult.read(results / OTHER_TEXT)
    apart = {
        name: abs(cell.accuracy["shuffled"].point - cell.accuracy["floor"].point)
        for name, cell in measured.families.items()
    }
    first, second = sorted(apart, key=lambda name: -apart[name])[:2]
    shown: dict[str, Cell] = {
        "all": measured.overall,
        f"`{first}`": measured.families[first],
        f"`{second}`": measured.families[second],
    }
    lines = [
        f"From `docs/results/{OTHER_TEXT}` ({teacher_of(measured)}, the compressor that ships; "
        f"{measured.documents} held-out documents, seed {measured.seed}). Right answers; the two "
        "families in which shuffled latents and the floor differ most.",
        "",
        "| the reasoner reads | " + " | ".join(shown) + " |",
        "|---" * (len(shown) + 1) + "|",
    ]
    for arm in _READ:
        figures = (span(cell.accuracy[arm]) for cell in shown.values())
        lines.append(f"| {ARMS[arm].label} (`{arm}`) | " + " | ".join(figures) + " |")
    return "\n".join(lines)
