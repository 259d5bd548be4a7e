"""What the ablations found: every row against the full recipe, with simultaneous intervals."""

import json
from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path

from ..common import atomic
from ..common.record import Record
from ..evaluate.compare import ablation_drops
from ..evaluate.difference import Word, smallest_shown, word
from ..evaluate.scores import ScoredAnswer
from ..evaluate.stats import Figure, Interval, holm
from .ablations import ABLATIONS, ablated, rows
from .evidence import Measured, load_evaluation
from .phases import PHASES, phase
from .run_folder import RunFolder


class GridRow(Record):
    """One ablation."""

    name: str
    changes: dict[str, object]
    """Fields of the full recipe that it changes, at the size that was measured."""
    judged: bool = True
    """Whether a verdict is about it too, or this table alone."""
    status: str
    """`measured`, `failed` (why) or `missing`."""
    retention: tuple[Figure, ...] = ()
    """By training seed."""
    drop: Interval | None = None
    """Retention of the full recipe minus that of this one, Bonferroni over the rows measured."""
    p: Figure = nan
    """Two-sided p-value of no drop, adjusted over the rows measured (Holm, 1979)."""
    word: Word = "unmeasured"
    """What the interval says: above (0), below, tied or open."""
    smallest_shown: Figure = nan
    """The drop that so many documents and seeds show four times in five."""


class GridResult(Record):
    """The grid of one run."""

    full: str
    """Name of the full recipe."""
    retention: tuple[Figure, ...]
    """Of the full recipe, by training seed."""
    seeds: tuple[int, ...]
    documents: int
    seed: int
    """Of the held-out documents."""
    rows: tuple[GridRow, ...]


def read_grid(run: RunFolder, documents: int, seed: int) -> GridResult | None:
    """The grid as far as it was measured on these documents; None without the full recipe.

    Raises:
        LatentcompError: an evaluation is damaged, or two may not be compared.
    """
    grid = next(each for each in PHASES if each.grid)
    assert grid.reference is not None
    name = phase(grid.reference).recipe.name
    full = _measured(run, name, documents, seed)
    if not full:
        return None
    sides = {row: _measured(run, ablated(row).name, documents, seed) for row in rows()}
    whole = [row for row, side in sides.items() if side.keys() == full.keys()]
    drops = _drops(full, {row: sides[row] for row in whole})
    made_rows = []
    for row, side in sides.items():
        status = "measured" if row in whole else _status(run, ablated(row).name)
        kept = tuple(each.result.retention for each in side.values())
        made = GridRow(
            name=row,
            changes=_changes(row, full, side),
            judged=row in ABLATIONS,
            status=status,
            retention=kept,
        )
        made_rows.append(made.model_copy(update=drops.get(row, {})))
    return GridResult(
        full=name,
        retention=tuple(each.result.retention for each in full.values()),
        seeds=tuple(full),
        documents=documents,
        seed=seed,
        rows=tuple(made_rows),
    )


def write_grid(result: GridResult, folder: Path) -> Path:
    """Write `ablations.json`; returns its path."""
    path = folder / "ablations.json"
    atomic.write_text(path, result.model_dump_json(indent=2) + "\n")
    return path


def _changes(
    row: str, full: Mapping[int, Measured], side: Mapping[int, Measured]
) -> dict[str, object]:
    """What a row changed where it was measured, else what the catalogue has it change."""
    pair = [next(iter(each.values())) for each in (full, side) if each]
    states = [each.state for each in pair if each.state is not None]
    if len(states) < 2:
        return rows()[row]
    ours, theirs = (state.known_trial.recipe for state in states)
    return {field: value for field, (_, value) in ours.differences(theirs).items()}


def _measured(run: RunFolder, recipe: str, documents: int, seed: int) -> dict[int, Measured]:
    chosen = {}
    for trial in run.trials(recipe):
        for folder in trial.evaluations():
            measured = load_evaluation(trial, folder)
            same = (measured.recorded.documents, measured.recorded.seed) == (documents, seed)
            if same and measured.steps is None and measured.state is not None:
                chosen[trial.seed] = measured
    return dict(sorted(chosen.items()))


def _drops(
    full: Mapping[int, Measured], sides: Mapping[str, Mapping[int, Measured]]
) -> dict[str, dict[str, object]]:
    """What the rows that were measured get of figures."""
    if not sides:
        return {}
    first = next(iter(full.values()))
    drops = ablation_drops(
        _rows(full), {row: _rows(side) for row, side in sides.items()}, seed=first.recorded.seed
    )
    adjusted = holm([drop.p for drop in drops.values()])
    return {
        row: {
            "drop": drop.interval,
            "p": p,
            "word": word(drop.interval),
            "smallest_shown": smallest_shown(drop.interval),
        }
        for (row, drop), p in zip(drops.items(), adjusted, strict=True)
    }


def _rows(side: Mapping[int, Measured]) -> dict[int, Sequence[ScoredAnswer]]:
    return {seed: each.rows for seed, each in side.items()}


def _status(run: RunFolder, recipe: str) -> str:
    for trial in run.trials(recipe):
        if trial.failure.is_file():
            return f"failed: {json.loads(trial.failure.read_bytes()).get('reason', '')}"
    return "missing"
