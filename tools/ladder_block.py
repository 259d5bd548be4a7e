"""The ladder as the README quotes it, from `docs/results/ladder.json`."""

from pathlib import Path
from typing import Any, Final

from ..experiment.phases import phase
from .measured_with import measured_with
from .speeds import result_file

LADDER: Final = "ladder.json"


def ladder_block(results: Path) -> str:
    """Markdown of the verdicts, one row a criterion.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    verdicts = result_file(results / LADDER)["verdicts"]
    seeds = sorted({seed for verdict in verdicts for seed in verdict["seeds"]})
    steps = verdicts[0]["steps"]
    lines = [
        f"From `docs/results/{LADDER}` ({measured_with(verdicts[0]['teacher_sha256'])}): {steps} "
        "steps of every recipe at the size "
        f"`{verdicts[0]['size']}`, training seeds {', '.join(map(str, seeds))}, "
        f"{verdicts[0]['documents']} held-out documents a phase.",
        "",
        "| phase | measure | passes when | measured [95 %] | verdict | why |",
        "|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        for place, criterion in enumerate(verdict["criteria"]):
            lines.append(_row(verdict, criterion, first=place == 0))
    return "\n".join(lines)


def _row(verdict: dict[str, Any], criterion: dict[str, Any], *, first: bool) -> str:
    sign = ">" if criterion["bound"] == "low" else "<"
    interval = criterion["interval"]
    measured = f"{interval['point']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
    number = verdict["phase"]
    name = f"{number} {phase(number).title}" if first else ""
    status = f"**{verdict['status']}**" if first else ""
    why = verdict["reason"] if first else ""
    return (
        f"| {name} | {criterion['measure']} | {criterion['bound']} {sign} "
        f"{criterion['threshold']:.2f} | {measured} | {status} | {why} |"
    )
