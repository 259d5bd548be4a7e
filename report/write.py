"""Writes the report of a run: one HTML file that needs no network, and a Markdown twin."""

import json
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

from ..common import atomic
from ..evaluate.arms.table import ARMS
from ..evaluate.break_lines import break_lines
from ..evaluate.heading import documents_line
from ..evaluate.numbers import figure
from ..evaluate.result import EvaluationResult
from ..evaluate.stats import Interval
from ..evaluate.table import bytes_line, remarks
from ..experiment.phases import phase
from ..experiment.run_folder import RunFolder
from ..experiment.verdict import CriterionOutcome, Verdict
from ..models.quantised import QUANTISED
from .arriving import against_rows, past_rows
from .collect import PhaseStory, collect
from .examples import examples_of
from .pages import environment
from .plates import plates, ratios_of
from .ratios import NOTE
from .worth import Worth, pictures, worths


def write_report(run: Path) -> Path:
    """Writes `report/index.html` and `report/report.md` into a run folder.

    Figures are computed again from the answers of each evaluation; what is missing is left out.

    Returns:
        The path of the HTML page.

    Raises:
        LatentcompError: there is nothing to report, a file is damaged, or the folder can't be
            written.
    """
    measured = worths(RunFolder(run))
    phases = collect(run, alone=not measured)
    page, twin = run / "report" / "index.html", run / "report" / "report.md"
    atomic.write_text(page, _render("page.html.j2", phases, measured, escape=True))
    atomic.write_text(twin, _render("page.md.j2", phases, measured, escape=False))
    return page


def _render(
    template: str, phases: tuple[PhaseStory, ...], measured: tuple[Worth, ...], *, escape: bool
) -> str:
    made = environment(escape=escape)
    made.filters |= {"cell": _cell, "percent": _percent}
    return made.get_template(template).render(
        phases=phases,
        worths=measured,
        pictures=pictures,
        labels={name: arm.label for name, arm in ARMS.items()},
        title=title,
        tone=tone,
        findings=findings,
        outcome=outcome,
        capital=capital,
        plates=plates,
        documents_line=documents_line,
        past_rows=past_rows,
        against_rows=against_rows,
        ratios_of=ratios_of,
        ratio_note=NOTE,
        reference_of=lambda number: phase(number).reference,
        examples_of=examples_of,
        flat=_flat,
        bytes_line=bytes_line,
        remarks=remarks,
        break_lines=break_lines,
        arm_order=tuple(ARMS),
        most_families=max(
            (len(story.evaluation.families) for story in phases if story.evaluation), default=0
        ),
        gate_of=lambda number: phase(number).gate,
        pretty=lambda config: json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False),
    )


def title(story: PhaseStory) -> str:
    """The headline of a phase: its verdict and why, before any figure."""
    result, verdict = story.evaluation, story.verdict
    if verdict is not None:  # a grid has one, and no evaluation of its own
        return f"{capital(verdict.status)}: {verdict.reason}"
    if result is None:
        return capital(story.without.rstrip("."))
    if "compressed" not in result.overall.retention:
        return "The teacher alone"
    return f"No verdict: {result.unjudged or 'no gate was applied to these figures'}"


def tone(story: PhaseStory) -> str:
    """Class of the headline's colour; empty of what is neither good nor bad."""
    if story.evaluation is None:
        return ""
    return story.verdict.status if story.verdict is not None else "open"


def findings(result: EvaluationResult) -> str:
    """What was measured in one sentence, with its n: it stands below the verdict.

    A second one says that the models are quantised, where they are.
    """
    notes = [capital(note) for note in result.notes if note.startswith(QUANTISED)]
    return " ".join([_measured(result), *(f"{note}." for note in notes)])


def _measured(result: EvaluationResult) -> str:
    n = f"{result.documents} documents, {result.questions} questions"
    kept = result.overall.retention.get("compressed")
    if kept is None:
        return f"It answers {_percent(result.accuracy)} of the questions exactly ({n})."
    if isnan(kept.point):
        return f"Retention cannot be measured here: the ceiling is not above the floor ({n})."
    if is_faulty(result):
        return f"These figures cannot be read: shuffled latents beat the floor ({n})."
    ends = "" if not kept.defined else f", 95 % interval {_ends(kept)}"
    return (
        f"{_percent(kept.point)} of what this reasoner gets from the full text (accuracy "
        f"{figure(result.ceiling, 2)}) survives in latents at {figure(result.ratio, 0)}x "
        f"({n}{ends})."
    )


def capital(text: str) -> str:
    """The same with a capital letter."""
    return text[:1].upper() + text[1:]


def outcome(verdict: Verdict, criterion: CriterionOutcome) -> tuple[str, str]:
    """How a criterion came out in words, and its class; grey where nothing was judged by it.

    A criterion on fewer documents, questions or seeds than the plan asks for, or of an instrument
    with a fault, has neither passed nor failed, wherever its interval lies.
    """
    least = phase(verdict.phase).gate.minimum
    few = (
        verdict.documents < least.documents
        or verdict.n < least.questions
        or len(set(verdict.seeds)) < least.seeds
    )
    if few or verdict.thin or not verdict.counts:
        return "below its minima, not judged", "grey"
    # A reason that names no measure is a fault of the instrument, or a rule that was broken.
    by_measure = any(verdict.reason.startswith(each.measure) for each in verdict.criteria)
    if verdict.status == "inconclusive" and not by_measure:
        return "not judged", "grey"
    return criterion.status, criterion.status


def is_faulty(result: EvaluationResult) -> bool:
    """Whether the instrument found fault with itself; None is not a fault but no finding."""
    return any(check.passed is False for check in result.checks.values())


def _percent(value: float) -> str:
    return "–" if isnan(value) else f"{100 * value:.0f} %"


def _ends(interval: Interval) -> str:
    return f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %"


def _cell(text: object) -> str:
    """Text that cannot break a Markdown table."""
    return " ".join(str(text).replace("|", "\\|").split())


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Leaves of a nested mapping as `a.b` and text, for a list of provenance."""
    leaves: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            leaves += _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            leaves.append((name, " ".join(map(str, value)) or "none"))
        elif value not in (None, ""):
            leaves.append((name, str(value)))
    return leaves
