"""CE utilisation of several trainings on the same documents: one figure over seeds and documents.

A document weighs its mean over the trainings. What a few seeds leave open about all of them is in
the interval, as a random effect (`evaluate/seed_effect.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...common.record import Record
from ..stats import RESAMPLES, Interval
from .measure import AnswerCost
from .result import figures_of, pooled_utilisation


class PooledUtilisation(Record):
    """The headline of one ratio."""

    seeds: tuple[int, ...]
    """Of the trainings."""
    by_seed: dict[str, tuple[float, ...]]
    """By arm: point estimate of each training."""
    utilisation: dict[str, Interval]
    """By arm, over the families that count; documents and seeds are resampled."""
    nats: dict[str, float]
    """By arm: mean negative log-likelihood of an answer token of these families."""
    left_out: tuple[str, ...]
    documents: int
    questions: int
    """Of these families, each once."""


def pool(
    by_seed: Mapping[int, Sequence[AnswerCost]], *, seed: int, resamples: int = RESAMPLES
) -> PooledUtilisation:
    """Pool trainings.

    Args:
        by_seed: training seed -> costs of every arm, of the same answers.
        seed: of the bootstrap.
        resamples: its draws.

    Raises:
        ValueError: no trainings, or not of the same answers, or no family counts.
    """
    answers = {
        number: sorted((row.document_id, row.question_id, row.tokens, row.arm) for row in rows)
        for number, rows in by_seed.items()
    }
    first = next(iter(answers.values()), None)
    if first is None or any(each != first for each in answers.values()):
        raise ValueError("trainings that weighed other answers or arms cannot be pooled")
    every = [row for rows in by_seed.values() for row in rows]
    figures: dict[str, Any] = figures_of(every, None, seed=seed, resamples=resamples)
    if figures["overall"] is None:
        raise ValueError("no family counts: the whole document does not clearly help with any")
    counted = [name for name in figures["families"] if name not in figures["left_out"]]
    utilisation, points = pooled_utilisation(by_seed, counted, seed=seed, resamples=resamples)
    return PooledUtilisation(
        seeds=tuple(by_seed),
        by_seed=points,
        utilisation=utilisation,
        nats={arm: interval.point for arm, interval in figures["overall"].nats.items()},
        left_out=figures["left_out"],
        documents=figures["documents"],
        questions=figures["overall"].questions // len(by_seed),
    )
