"""What lab models answer to held-out documents of the generator that they read.

A model of generator 4 reads documents with the day of every chunk written in: the questions that
only the metadata could answer are for the compressor, and no teacher is to fail at them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from ..corpus.generators import generator
from ..corpus.records import Document
from ..evaluate.answers import answer_questions
from ..evaluate.arms.table import REFERENCE_ARMS
from ..evaluate.arms.text import ceiling, floor
from ..evaluate.cells import break_down
from ..evaluate.scores import ScoredAnswer
from ..evaluate.stats import RESAMPLES, Interval
from ..models.loading import CausalLM, load_causal_lm
from ..reasoner.generate import Prefix

HELD_OUT_SEED: Final = 4242
SPLIT: Final = "test"
Progress = Callable[[str, int], None]
"""Receives an arm and the number of documents of every finished batch."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Accuracies, with the document, that a model has to reach."""

    overall: float
    part: float | None
    """In every family and in every form of answer; None: those are not judged."""


BARS: Final[dict[str, Bars]] = {"lab": Bars(0.95, 0.90), "long": Bars(0.90, None)}
"""By preset."""


def held_out(version: int, preset: str, count: int) -> tuple[Document, ...]:
    """Documents to measure on.

    Raises:
        CorpusError: the generator has no such preset.
    """
    return tuple(generator(version).generate(preset, SPLIT, count, HELD_OUT_SEED))


def measured(
    folder: Path, documents: Sequence[Document], preset: str, progress: Progress
) -> dict[str, Any]:
    """Figures of one model on held-out documents.

    Args:
        folder: of the model.
        documents: held out.
        preset: that they are of, which decides the bars.
        progress: called with the arm and the number of finished documents after every batch.

    Raises:
        TeacherError: the model cannot be read.
    """
    gpu = torch.cuda.is_available()
    lm = load_causal_lm(str(folder), device="cuda" if gpu else "cpu")
    rows = measure(lm, documents, batch_size=48 if gpu else 8, progress=progress)
    accuracies = figures(rows)
    bars = BARS.get(preset)
    return {
        "preset": preset,
        "identity": lm.identity.model_dump(mode="json"),
        "bars_met": None if bars is None else _met(accuracies["ceiling"], bars),
        **accuracies,
    }


def _met(ceiling: Mapping[str, Any], bars: Bars) -> bool:
    parts = [*ceiling["by_family"].values(), *ceiling["by_form"].values()]
    enough = bars.part is None or all(part["point"] >= bars.part for part in parts)
    return enough and bool(ceiling["accuracy"]["point"] >= bars.overall)


def measure(
    lm: CausalLM,
    documents: Sequence[Document],
    *,
    batch_size: int = 8,
    progress: Progress = lambda arm, documents: None,
) -> list[ScoredAnswer]:
    """Answers with the whole document (ceiling) and without it (floor)."""
    rows: list[ScoredAnswer] = []
    arms: dict[str, list[Prefix]] = {
        "ceiling": ceiling(lm, documents),
        "floor": floor(lm, documents),
    }
    for arm, prefixes in arms.items():
        rows += answer_questions(
            lm,
            documents,
            prefixes,
            arm,
            batch_size=batch_size,
            progress=partial(progress, arm),
        ).rows
    return rows


def figures(rows: Sequence[ScoredAnswer]) -> dict[str, Any]:
    """Accuracy with the document (ceiling) and without (floor): overall, by family and by form.

    Each with its 95 % interval, a bootstrap of whole documents. No forms where questions have none,
    as those of generator 3.
    """
    parts = break_down(rows, seed=HELD_OUT_SEED, resamples=RESAMPLES)
    return {
        arm: {
            "accuracy": _short(parts.overall.accuracy[arm]),
            "by_family": {name: _short(c.accuracy[arm]) for name, c in parts.families.items()},
            "by_form": {name: _short(c.accuracy[arm]) for name, c in parts.forms.items()},
        }
        for arm in REFERENCE_ARMS
    }


def _short(interval: Interval) -> dict[str, Any]:
    return interval.model_dump(include={"point", "low", "high", "n", "clusters"})
