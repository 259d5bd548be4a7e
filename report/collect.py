"""Reads what a run folder holds: trials, evaluations recomputed from answers, verdicts, curves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any, Final

from ..common.errors import LatentcompError
from ..evaluate.diagnosis.result import Diagnosis
from ..evaluate.result import EvaluationResult
from ..experiment.ablations import ablated, rows
from ..experiment.against import against_reference
from ..experiment.evidence import Measured, load_evaluation
from ..experiment.gather import eligible
from ..experiment.history import read_history, standing
from ..experiment.order import contradicted, outdated
from ..experiment.phases import PHASES, Phase
from ..experiment.run_folder import RunFolder, TrialFolder
from ..experiment.suggest import evaluate_command, train_command
from ..experiment.verdict import Verdict
from .arriving import Against
from .insides import diagnosis_of


@dataclass(frozen=True, slots=True)
class LogPoint:
    """One line of a training log."""

    step: int
    """Optimiser steps taken."""
    loss: float
    """Training loss of that step, nats a token; NaN where it was not finite."""
    documents: int
    """Documents seen so far."""
    seconds: float
    """Wall-clock seconds of training so far."""


@dataclass(frozen=True, slots=True)
class OtherEvaluation:
    """An evaluation that the page does not lead with."""

    trial: str
    """`phase-2/seed-1`."""
    result: EvaluationResult
    """Recomputed from its answers."""


@dataclass(frozen=True, slots=True)
class PhaseStory:
    """What is known of one phase."""

    number: int
    """1 .. 8."""
    without: str
    """What there is to say where there is no one evaluation to lead with."""
    evaluation: EvaluationResult | None
    """Recomputed from its answers; None where the phase was trained and not evaluated yet."""
    verdict: Verdict | None
    """The one that stands and follows from its answers; None where there is none."""
    remarks: tuple[str, ...]
    """What there is to know of the evaluation, and of a verdict that no longer stands."""
    earlier: tuple[Verdict, ...]
    """Every verdict that was ever made on this phase here, the oldest first."""
    others: tuple[OtherEvaluation, ...]
    """Of the phase's trials, the newest first."""
    config: Mapping[str, Any]
    """Record of the trial: resolved recipe and provenance; empty where absent."""
    log: tuple[LogPoint, ...]
    """Training curve, by ascending step."""
    diagnosis: Diagnosis | None
    """What `latentcomp diagnose` found in the weights of that evaluation; None where it was not
    run."""
    against: Against
    """Of a phase on documents that arrive: what it keeps against its reference; else empty."""

    @property
    def remark(self) -> str:
        """All remarks as one text; empty where there are none."""
        return " ".join(self.remarks)


def collect(run: Path, *, alone: bool = True) -> tuple[PhaseStory, ...]:
    """Phases of a run that left anything to tell, the latest first.

    Args:
        run: run folder.
        alone: whether nothing else is reported, so that no phase is nothing to report.

    Raises:
        LatentcompError: nothing to report, or a file is damaged.
    """
    folder = RunFolder(run)
    stories = [_story(folder, phase) for phase in reversed(PHASES)]
    filled = tuple(
        story for story in stories if story and (story.evaluation or story.log or story.others)
    )
    if not filled and alone:
        raise LatentcompError(
            f"{run}: nothing to report, no phase was trained or evaluated here; run "
            f"`{train_command(folder, PHASES[0].recipe.name)}` and "
            f"`{evaluate_command(folder, phase=PHASES[0].number)}` first"
        )
    return filled


def _story(run: RunFolder, phase: Phase) -> PhaseStory | None:
    names = [phase.recipe.name]
    if phase.grid:
        names = [ablated(row).name for row in rows()]
    trials = [trial for trial in run.every() if trial.recipe in names]
    if not trials:
        return None
    measured = [load_evaluation(trial, each) for trial in trials for each in trial.evaluations()]
    history = read_history(run, phase.number)
    verdict = standing(history) if history else None
    fault = ""
    if verdict is not None:
        fault = outdated(run, verdict) or contradicted(run, verdict)
    lead = None if phase.grid else lead_of(run, phase, measured, verdict)
    trial = lead.trial if lead else trials[0]
    remarks = list(lead.remarks) if lead else []
    if fault and verdict is not None:
        remarks.append(
            f"A verdict of this phase, {verdict.status}, unlocks nothing any more: {fault}."
        )
    return PhaseStory(
        number=phase.number,
        without=_GRID if phase.grid else _NOT_YET,
        evaluation=lead.result if lead else None,
        verdict=None if fault else verdict,
        remarks=tuple(remarks),
        earlier=history,
        others=tuple(
            OtherEvaluation(str(each.trial), each.result)
            for each in reversed(measured)
            if each is not lead
        ),
        config=_read_config(trial),
        log=read_log(trial.curve),
        diagnosis=None if lead is None else diagnosis_of(trial.path, lead.result.checkpoint_sha256),
        against=_against(run, phase, None if fault else verdict),
    )


def _against(run: RunFolder, phase: Phase, verdict: Verdict | None) -> Against:
    if verdict is None or phase.steps is None:
        return {}
    return against_reference(run, phase, verdict)


_NOT_YET: Final = "trained, and not evaluated yet."
_GRID: Final = "one part is left out at a time; every evaluation stands below."


def lead_of(
    run: RunFolder, phase: Phase, measured: Sequence[Measured], verdict: Verdict | None
) -> Measured | None:
    """The evaluation that the page speaks of: that of the verdict, else one that may be judged."""
    if verdict is not None:
        for each in measured:
            if each.answers_sha256 in verdict.evaluations.values():
                return each
    judgeable = [each for each in measured if not eligible(run, each, phase.recipe, phase.steps)]
    every = judgeable or list(measured)
    return every[-1] if every else None


def _read_config(trial: TrialFolder) -> dict[str, Any]:
    path = trial.record
    if not path.exists():
        return {}
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise LatentcompError(f"{path}: not readable as JSON ({error}); train again") from error
    return config if isinstance(config, dict) else {"run": config}


def read_log(path: Path) -> tuple[LogPoint, ...]:
    """Reads a training log; a step that was run again after a kill counts once, the last time.

    A last line without its newline is what a kill leaves behind, and is left out.

    Raises:
        LatentcompError: another line is not a record of `step` and `loss`; names the line.
    """
    if not path.exists():
        return ()
    points: dict[int, LogPoint] = {}
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if "loss" not in record:  # other events, such as a resumption, carry no loss
                continue
            point = LogPoint(
                step=int(record["step"]),
                loss=nan if record["loss"] is None else float(record["loss"]),
                documents=int(record.get("documents", 0)),
                seconds=float(record.get("seconds", 0.0)),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise LatentcompError(
                f"{path}, line {number}: not a record with step and loss ({error!r}); "
                "remove the line or train again"
            ) from error
        points[point.step] = point
    return tuple(points[step] for step in sorted(points))
