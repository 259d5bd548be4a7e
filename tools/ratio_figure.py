"""The figure of the README: what is kept over the ratio, and what text of as many tokens keeps."""

from collections.abc import Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any, Final

from ..evaluate.interface.result import InterfaceResult
from ..evaluate.result import EvaluationResult
from ..evaluate.stats import Interval
from .arms_block import RATIOS, read_arm
from .baselines_block import BASELINES
from .by_ratio import by_ratio
from .ceiling_block import CEILING
from .ladder_block import LADDER
from .speeds import result_file
from .svg import line, svg, text

LEFT, TOP, WIDTH, HEIGHT, MARGIN = 40.0, 40.0, 430.0, 230.0, 240.0
TEXTS: Final = {"oracle": "perfect retrieval of text", "summary": "summary of as many tokens"}
"""Arm of text -> the name of its line."""


def ratio_figure(results: Path) -> str:
    """Retention over tokens per latent: what ships, adapters, text of as many tokens, phase 1."""
    ships = by_ratio(results)
    lowest, highest = ships[0].ratio, ships[-1].ratio
    parts = [text(LEFT, 16, "retention over tokens per latent (95 %)", "s", "start")]
    for step in range(0, 11, 2):
        y = _height(step / 10)
        parts.append(line("g", [(LEFT, y), (LEFT + WIDTH, y)]))
        parts.append(text(LEFT - 6, y + 4, f"{step / 10:.1f}", "s", "end"))
    curves = _curves(results, ships)
    for kind, _, points in curves:
        across = {ratio: log2(ratio / lowest) / log2(highest / lowest) for ratio in points}
        places = [(LEFT + WIDTH * across[ratio], one) for ratio, one in points.items()]
        parts.append(line(kind, [(x, _height(one.point)) for x, one in places]))
        whisker = "bar" if kind == "cut" else kind
        parts += [
            line(whisker, [(x, _height(one.low)), (x, _height(one.high))]) for x, one in places
        ]
        parts += [
            text(x, TOP + HEIGHT + 18, f"{ratio:g}x", "s")
            for ratio, (x, _) in zip(points, places, strict=True)
            if kind == curves[0][0]
        ]
    parts += _names([(label, _height(points[highest].point)) for _, label, points in curves])
    parts += _phase_1(result_file(results / LADDER))
    parts += _optimised(results, lowest, highest)
    title = "What is kept at 4, 8 and 16 tokens per latent"
    return svg(round(LEFT + WIDTH + MARGIN), round(TOP + HEIGHT + 34), title, parts)


def _height(kept: float) -> float:
    return TOP + HEIGHT * (1 - kept)


def _curves(
    results: Path, ships: Sequence[EvaluationResult]
) -> list[tuple[str, str, dict[float, Interval]]]:
    """Class, name and points of every line."""
    adapted = [read_arm(results, "adapters", ratio) for ratio in RATIOS]
    baselines = [EvaluationResult.read(results / name) for name in BASELINES]

    def of(read: Sequence[EvaluationResult], arm: str) -> dict[float, Interval]:
        return {each.ratio: each.overall.retention[arm] for each in read}

    return [
        ("c4", "latents (ships)", of(ships, "compressed")),
        ("c8", "adapters on the reader (780 s)", of(adapted, "compressed")),
        *(("cut", label, of(baselines, arm)) for arm, label in TEXTS.items()),
    ]


def _names(named: Sequence[tuple[str, float]]) -> list[str]:
    """Names at the ends of their lines, moved apart where they would lie on each other."""
    parts, last = [], float("-inf")
    for label, y in sorted(named, key=lambda each: each[1]):
        last = max(y, last + 15)
        parts.append(text(LEFT + WIDTH + 8, last + 4, label, "s", "start"))
    return parts


def _optimised(results: Path, lowest: float, highest: float) -> list[str]:
    """Of the interface: latents optimised for the questions that are asked then."""
    read = InterfaceResult.read(results / CEILING)
    parts = []
    for at in read.ratios.values():
        kept = at.optimised_for.overall.retention["optimised"].point
        x = LEFT + WIDTH * log2(at.ratio / lowest) / log2(highest / lowest)
        label = f"optimised for its questions ({read.documents} documents)"
        parts += [
            f'<circle class="f" cx="{x:.1f}" cy="{_height(kept):.1f}" r="4"/>',
            text(x + 10, _height(kept) + 4, label, "s", "start"),
        ]
    return parts


def _phase_1(record: Mapping[str, Any]) -> list[str]:
    """The control of the ladder, at the lowest ratio."""
    (verdict,) = (each for each in record["verdicts"] if each["phase"] == 1)
    kept = next(each for each in verdict["criteria"] if each["measure"] == "retention")["interval"]
    y = _height(kept["point"])
    return [
        f'<circle class="f" cx="{LEFT:.1f}" cy="{y:.1f}" r="4"/>',
        text(LEFT + 10, y - 6, "phase 1 (small budget)", "s", "start"),
    ]
