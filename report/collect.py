"""Reads what a run folder holds: evaluations, verdicts, configurations, training logs."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.errors import LatentcompError
from ..common.record import read_record
from ..evaluate.history import FILE, read_history
from ..evaluate.order import outlived
from ..evaluate.result import EvaluationResult
from ..evaluate.verdict import Verdict


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
class PhaseStory:
    """What is known of one phase."""

    number: int
    """1 .. 8."""
    evaluation: EvaluationResult | None
    """None where the phase was trained and not evaluated yet."""
    verdict: Verdict | None
    """On these figures; None where none is recorded."""
    remark: str
    """What there is to know of a verdict that is on other figures or on other weights."""
    earlier: tuple[Verdict, ...]
    """Every verdict that was ever made on this phase here, the oldest first."""
    config: Mapping[str, Any]
    """`run.json`: resolved configuration and provenance; empty where absent."""
    log: tuple[LogPoint, ...]
    """Training curve, by ascending step."""


def collect(run: Path) -> tuple[PhaseStory, ...]:
    """Phases of a run that left anything to tell, the latest first.

    Raises:
        LatentcompError: the folder has no phase, or one of its files is damaged.
    """
    folders = [path for path in (run / "phases").glob("*") if path.name.isdecimal()]
    stories = [_story(run, path) for path in sorted(folders, key=lambda path: -int(path.name))]
    told = tuple(story for story in stories if story.evaluation or story.log)
    if not told:
        raise LatentcompError(
            f"{run}: nothing to report, no phase was trained or evaluated here; "
            "run `latentcomp train` and `latentcomp evaluate` with the same --run first"
        )
    return told


def _story(run: Path, folder: Path) -> PhaseStory:
    evaluation, verdict = folder / "evaluation.json", folder / "verdict.json"
    found = EvaluationResult.read(evaluation) if evaluation.exists() else None
    recorded = read_record(Verdict, verdict) if verdict.exists() else None
    same = found is None or recorded is None or _is_on(recorded, found)
    return PhaseStory(
        number=int(folder.name),
        evaluation=found,
        verdict=recorded if same else None,
        remark="" if recorded is None else _remark(run, recorded, same=same),
        earlier=read_history(folder / FILE),
        config=_read_config(folder / "run.json"),
        log=read_log(folder / "log.jsonl"),
    )


def _is_on(verdict: Verdict, found: EvaluationResult) -> bool:
    """Whether a verdict rests on these very figures; what earlier versions did not keep agrees."""
    corpus = found.corpus.sha256 if found.corpus else None
    return (verdict.checkpoint_sha256, verdict.corpus_sha256) == (found.checkpoint_sha256, corpus)


def _remark(run: Path, verdict: Verdict, *, same: bool) -> str:
    if not same:
        return (
            f"The verdict of this phase is on other figures than these: {verdict.status}, "
            f"{verdict.reason}."
        )
    fault = outlived(run, verdict) if verdict.checkpoint_sha256 is not None else ""
    return f"This verdict unlocks nothing any more: {fault}." if fault else ""


def _read_config(path: Path) -> dict[str, Any]:
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
                # null where it was not finite: JSON has no NaN
                loss=math.nan if record["loss"] is None else float(record["loss"]),
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
