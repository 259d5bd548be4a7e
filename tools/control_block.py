"""Which layer the control reads: single layers in its recipe, and what began with the wrong one."""

from pathlib import Path
from typing import Final

from ..evaluate.numbers import span
from ..evaluate.result import EvaluationResult
from .ladder_block import judged
from .measured_with import teacher_of
from .speeds import result_file

LAYERS: Final = (-30, -18)
"""Trained beside each other, and measured on the same documents."""
DEEPEST: Final = "attempts/ladder_lab4_deepest.json"
"""The ladder whose phases after the first began with the deepest of their layers."""


def control_block(results: Path) -> str:
    """Markdown of retention by the layer that is read alone.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: a file is missing or damaged.
    """
    read = {layer: read_layer(results, layer) for layer in LAYERS}
    first = read[LAYERS[0]]
    lines = [
        f"From `docs/results/attempts/lab4_control_layer_*.json` ({teacher_of(first)}; "
        f"{first.documents} held-out documents, seed {first.seed}; phase 1's recipe, "
        f"{first.steps} steps, one seed each).",
        "",
        "| layer read alone | retention at 4x |",
        "|---|---|",
    ]
    for layer, one in read.items():
        lines.append(f"| {layer} | {span(one.overall.retention['compressed'])} |")
    void = judged(result_file(results / DEEPEST))
    lines += ["", f"That ladder, of which phase 1 alone stands (`docs/results/{DEEPEST}`): {void}"]
    return "\n".join(lines)


def read_layer(results: Path, layer: int) -> EvaluationResult:
    """One evaluation. Raises: LatentcompError, the file is missing or damaged."""
    return EvaluationResult.read(results / "attempts" / f"lab4_control_layer_{-layer}.json")
