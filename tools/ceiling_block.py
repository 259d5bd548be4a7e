"""What a frozen reader can do with so few vectors: latents optimised for each document."""

from pathlib import Path
from typing import Final

from ..evaluate.interface.result import InterfaceResult
from ..evaluate.numbers import span
from .measured_with import measured_with

CEILING: Final = "ceiling_lab.json"


def ceiling_block(results: Path) -> str:
    """Markdown of right answers before and after, of questions optimised for and of others.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    read = InterfaceResult.read(results / CEILING)
    lines = [
        f"From `docs/results/{CEILING}` ({measured_with(read.reasoner.weights_sha256)}; "
        f"{read.documents} documents of the split `{read.corpus.split}`, seed {read.corpus.seed}; "
        f"{read.settings.steps} steps of Adam from what the compressor writes, on a CPU). Right "
        "answers.",
        "",
        "| ratio | questions | the full document | the compressor | optimised |",
        "|---|---|---|---|---|",
    ]
    for name, at in read.ratios.items():
        sides = {"optimised for": at.optimised_for, "held out": at.held_out}
        for what, side in sides.items():
            if side is None:
                continue
            arms = side.overall.accuracy
            figures = " | ".join(span(arms[arm]) for arm in ("ceiling", "start", "optimised"))
            lines.append(f"| {name}x | {side.overall.questions} {what} | {figures} |")
    return "\n".join(lines)
