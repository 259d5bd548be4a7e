"""What each layer is worth by family, and where the reasoner looks: of what ships."""

from pathlib import Path
from typing import Final

from ..common.errors import LatentcompError
from ..evaluate.diagnosis.layers import LayerFigures, LayerReport
from ..evaluate.diagnosis.localization import Localization
from ..evaluate.diagnosis.result import Diagnosis
from ..evaluate.numbers import span
from .measured_with import measured_with

FILE: Final = "diagnosis_lab.json"
BLOCKS: Final = 48
"""Of the lab teacher: layer -k is the state behind `BLOCKS + 1 - k` of them."""
CLAIM: Final = {-30: "fact", -18: "relation", -6: "structure"}
"""Layer -> the family that leaving it out has to hurt most (plan, section 4, phase 2)."""


def layers_block(results: Path) -> str:
    """Markdown of accuracy lost without each layer, the claim on it, and localization by depth.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing, damaged, or of probes alone.
    """
    record = Diagnosis.read(results / FILE)
    if record.layers is None or record.localization is None:
        raise LatentcompError(
            f"{results / FILE}: of probes alone; run diagnose without that option"
        )
    by = measured_with(record.provenance["inputs"]["teacher"])
    return "\n".join(
        [
            f"From `docs/results/{FILE}` ({by}, compressor `{record.checkpoint}`; "
            f"{record.documents} documents of the split `{record.corpus.split}`, seed "
            f"{record.seed}, {record.ratio:g}x). Accuracy with all layers, and what is lost where "
            "the states of one are zero.",
            "",
            *_table(record.layers),
            "",
            _claim(record.layers),
            "",
            *_looking(record.localization),
        ]
    )


def _number(one: LayerFigures) -> int:
    return one.layer.blocks_completed - BLOCKS - 1


def _table(report: LayerReport) -> list[str]:
    layers = sorted(report.layers, key=_number)
    heads = [f"without {_number(one)}" for one in layers]
    lines = [f"| family | all layers | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for family in sorted(report.families):
        lost = [span(one.families[family]) for one in layers]
        lines.append(f"| {family} | {report.families[family].point:.3f} | {' | '.join(lost)} |")
    lost = [span(one.drop) for one in layers]
    shares = [
        ", ".join(f"{share:.2f}" for share in one.shares.values()) or "none" for one in layers
    ]
    lines.append(f"| **all** | {report.accuracy.point:.3f} | {' | '.join(lost)} |")
    modules = ", ".join(f"`{name}`" for name in layers[0].shares)
    lines.append(f"| learned share ({modules}) | | {' | '.join(shares)} |")
    return lines


def _claim(report: LayerReport) -> str:
    """For each layer, which family its absence hurts most, against the family of the plan."""
    parts = []
    holds = True
    for one in sorted(report.layers, key=_number):
        worst = max(one.families, key=lambda family: one.families[family].point)
        wanted = CLAIM[_number(one)]
        holds &= worst == wanted
        parts.append(
            f"without {_number(one)} `{worst}` loses most ({span(one.families[worst], 2)}; "
            f"`{wanted}`, which the plan names, {span(one.families[wanted], 2)})"
        )
    verdict = "is what was measured" if holds else "is rejected"
    return (
        f"Facts early, relations in the middle, structure late: **that {verdict}**, by the plan's "
        f"rule: {'; '.join(parts)}."
    )


def _looking(localization: Localization) -> list[str]:
    depths = localization.depths
    best = max(depths, key=lambda one: one.evidence.point)
    row = ", ".join(f"{one.evidence.point:.2f} behind {one.blocks_completed}" for one in depths)
    return [
        "Of the attention that answers give to latents, the latents of the chunks that settle them "
        f"get {span(best.evidence, 2)} behind {best.blocks_completed} blocks, where no preference "
        f"would give {best.chance.point:.2f} (mean over heads, {best.evidence.n:,} questions). By "
        f"depth: {row} blocks."
    ]
