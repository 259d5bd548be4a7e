"""The ladder as the findings quote it, from `docs/results/ladder.json`."""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from ..experiment.phases import phase
from .measured_with import measured_with
from .speeds import result_file

LADDER: Final = "ladder.json"
BEFORE: Final = "attempts/ladder_lab4_first.json"
OLDER: Final = "ladder_lab3.json"


def ladder_block(results: Path, file: str = LADDER) -> str:
    """Markdown of the verdicts, one row a criterion, and of what each phase kept.

    Args:
        results: folder of the committed result files.
        file: which of them.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / file)
    verdicts = record["verdicts"]
    # All that were trained: an existence gate judges one of them.
    seeds = sorted({int(name.rpartition("-")[2]) for name in record["trials"] if "/seed-" in name})
    lines = [
        f"From `docs/results/{file}` ({measured_with(verdicts[0]['teacher_sha256'])}): "
        f"{verdicts[0]['steps']} steps of every recipe at the size "
        f"`{verdicts[0]['size']}`, training seeds {', '.join(map(str, seeds))}, "
        f"{_documents(verdicts)}.",
        "",
        "| phase | measure | passes when | measured [95 %] | verdict | why |",
        "|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        for place, criterion in enumerate(verdict["criteria"]):
            lines.append(_row(verdict, criterion, first=place == 0))
    return "\n".join([*lines, "", *_kept(record)])


def ladder_line(results: Path) -> str:
    """A few sentences of the same for the README, of the ladder of today and the one before it."""
    now, before = (result_file(results / name) for name in (LADDER, BEFORE))
    first = now["verdicts"][0]
    return (
        f"**The ladder**, phases in their order at one small budget ({first['steps']} steps, "
        f"{_seeds(now)} training seeds, {first['ratio']:g}x): {judged(now)} "
        f"Before it, with layer -6 for the control: {judged(before)} "
        "[What each brought, what was void, and why it was judged so]"
        "(docs/findings.md#the-ladder-climbed-in-its-order)."
    )


def judged(record: dict[str, Any]) -> str:
    """On which teacher and documents, what every phase kept, and how it was judged."""
    kept = "; ".join(
        f"{number} ({phase(number).title}) {fmean(_overall(each)):.2f}"
        for number, each in _measured(record).items()
    )
    judged: dict[str, list[str]] = {}
    for verdict in record["verdicts"]:
        judged.setdefault(verdict["status"], []).append(str(verdict["phase"]))
    verdicts = "; ".join(f"{status}: {', '.join(each)}" for status, each in judged.items())
    teacher = measured_with(record["verdicts"][0]["teacher_sha256"])
    return (
        f"mean retention ({teacher}; {_documents(record['verdicts'])}) in phase {kept}. "
        f"Verdicts: {verdicts}."
    )


def _seeds(record: dict[str, Any]) -> int:
    """Trainings of a phase."""
    return max(len(each) for each in _measured(record).values())


def _documents(verdicts: list[dict[str, Any]]) -> str:
    """How many a phase was judged on, and where it was another number."""
    usual = verdicts[0]["documents"]
    others = [each for each in verdicts if each["documents"] != usual]
    apart = "".join(f", {each['documents']} in phase {each['phase']}" for each in others)
    return f"{usual} held-out documents a phase{apart}"


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


def _measured(record: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """Phase -> its own trials on the documents that it was judged on, by training seed."""
    by_phase: dict[int, list[dict[str, Any]]] = {}
    for verdict in record["verdicts"]:
        number = verdict["phase"]
        trials = (
            evaluations
            for name, evaluations in sorted(record["trials"].items())
            if name.split("/")[0] == phase(number).recipe.name
        )
        by_phase[number] = [
            one
            for evaluations in trials
            for one in evaluations
            if one["documents_seed"] == verdict["seed"]
        ]
    return by_phase


def _overall(measured: Iterable[dict[str, Any]]) -> list[float]:
    return [one["retention"]["point"] for one in measured]


def _kept(record: dict[str, Any]) -> list[str]:
    """Retention by family and phase, the mean over training seeds with the range over them."""
    phases = _measured(record)
    families = sorted(
        {name for each in phases.values() for one in each for name in one["families"]}
    )
    lines = [
        "Retention by phase: mean over its training seeds, and the lowest and highest of them.",
        "",
        "| | " + " | ".join(f"{number} {phase(number).title}" for number in phases) + " |",
        "|---" * (len(phases) + 1) + "|",
        "| **all** | " + " | ".join(_range(_overall(each)) for each in phases.values()) + " |",
    ]
    for name in families:
        cells = (
            _range([one["families"][name]["point"] for one in each]) for each in phases.values()
        )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    days = {
        number: [one["above_undated"]["point"] for one in each if one.get("above_undated")]
        for number, each in phases.items()
    }
    if any(days.values()):
        cells = (_range(each) if each else "–" for each in days.values())
        lines.append(
            "| above the text as it ships, questions that need days | " + " | ".join(cells) + " |"
        )
    return lines


def _range(values: list[float]) -> str:
    return f"{fmean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
