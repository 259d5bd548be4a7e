"""One recipe against another: the same documents, the same questions, several training seeds."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import nan
from pathlib import Path
from typing import Final

import numpy as np

from ..common.errors import LatentcompError
from ..common.record import Record
from .comparable import Comparable, check_comparable
from .measures import TIME_FAMILIES, Measure, Measurement
from .paired import check_paired, with_shared_arms
from .past import BREAKDOWNS, Choice
from .scores import ScoredAnswer, read_answers, read_source
from .seed_effect import SeedEffect
from .stats import (
    CONFIDENCE,
    RESAMPLES,
    Bootstrap,
    Columns,
    FloatArray,
    Interval,
    Statistic,
    difference,
    largest,
    p_value,
    quotient,
    retained,
    share,
)
from .tally import QUESTIONS, STALE_QUESTIONS, Answers, Tally, pooled, stale_column

Runs = Mapping[int, Sequence[ScoredAnswer]]
"""Scored answers by training seed."""
Files = Mapping[int, Path]
"""Files of answers by training seed."""

Choose = Callable[[Answers], Tally]
"""The questions that a figure is over."""

_STALE = stale_column("compressed")
REFERENCE: Final = "reference:"
"""Before the name of a column that is of the reference."""
_THEIRS = retained("reference:compressed", "reference:ceiling", "reference:floor")


class PairedCell(Record):
    """What two recipes keep of the same questions; training seeds pooled within each document."""

    retention: Interval
    """Of the recipe."""
    reference: Interval
    """Of the one that it is compared with."""
    gain: Interval
    """Retention minus that of the reference, paired."""
    stale_rise: Interval
    """Stale rate of the latents minus that of the reference's; NaN where none can be stale."""


class Comparison:
    """Two recipes, evaluated on the same questions with as many training seeds each.

    Seeds are paired in ascending order; within a document they are pooled before resampling, so
    that documents stay the independent units. With two seeds and more, intervals cover the choice
    of seeds too (`seed_effect.py`).
    """

    def __init__(
        self, runs: Runs, reference: Runs, *, seed: int, resamples: int = RESAMPLES
    ) -> None:
        """Indexes both sides, each reduced to the arms that all of them have.

        Raises:
            LatentcompError: they have no or unequally many training seeds, other questions,
                another reasoner, or no latents, ceiling or floor in common.
        """
        if not runs or len(runs) != len(reference):
            raise LatentcompError(
                f"a comparison needs as many training seeds on both sides: {sorted(runs)} against "
                f"{sorted(reference)}; train the missing seeds"
            )
        self.seeds = tuple(sorted(runs))
        sides = [*(runs[key] for key in self.seeds), *(reference[key] for key in sorted(reference))]
        check_paired(sides)
        answers = [Answers(rows) for rows in with_shared_arms(sides)]
        self._runs, self._reference = answers[: len(runs)], answers[len(runs) :]
        self._bootstrap = Bootstrap.draw(len(answers[0].documents), seed=seed, resamples=resamples)

    @classmethod
    def of_files(
        cls, runs: Files, reference: Files, *, seed: int, resamples: int = RESAMPLES
    ) -> "Comparison":
        """The same from files of answers, which record what they are of.

        Raises:
            LatentcompError: a file cannot be read or lacks the record, or they are of other
                documents, another reasoner, ratio or scorer.
        """
        check_comparable(
            {
                str(path): Comparable.of(read_source(path))
                for path in [*runs.values(), *reference.values()]
            }
        )
        return cls(
            {key: read_answers(path) for key, path in runs.items()},
            {key: read_answers(path) for key, path in reference.items()},
            seed=seed,
            resamples=resamples,
        )

    def measures(self) -> dict[Measure, Measurement]:
        """Everything that a gate of a comparison may look at, all seeds pooled."""
        return {
            "retention_gain": self.retention_gain(),
            "time_gain": self._over(_of_time, _gain_of_accuracy),
            "stale_rise": self._over(_all, _rise_of_stale, of=STALE_QUESTIONS),
            "retention": self._over(_all, retained("compressed")),
            "stale_rate": self._over(_all, share(_STALE, STALE_QUESTIONS), of=STALE_QUESTIONS),
            "compressed_minus_shuffled": self._over(
                _all, difference("compressed", "shuffled", QUESTIONS)
            ),
            # The self-check holds where its interval reaches 0: wider would be more lenient.
            "shuffled_minus_floor": self._over(
                _all, difference("shuffled", "floor", QUESTIONS), documents_only=True
            ),
            "ceiling_minus_floor": self._over(_all, difference("ceiling", "floor", QUESTIONS)),
        }

    def by_past(self) -> dict[str, dict[str, PairedCell]]:
        """What is kept of both, by age of the answer, by replaced values and by chunks read.

        By field of `Past` and by bin, where any question is in it; exploratory, as all that is
        looked at many at a time. Chunks read only where beginnings of documents were.
        """
        first = self._runs[0]
        return {
            what: {
                name: self._paired(partial(_bin, choose, least, most))
                for name, least, most in bins
                if choose(first, least, most).questions.sum()
            }
            for what, (bins, choose) in BREAKDOWNS.items()
            if what != "steps" or first.beginnings
        }

    def _paired(self, choose: Choose) -> PairedCell:
        return PairedCell(
            retention=self._over(choose, retained("compressed")).interval,
            reference=self._over(choose, _THEIRS).interval,
            gain=self._over(choose, _gain_of_retention).interval,
            stale_rise=self._over(choose, _rise_of_stale, of=STALE_QUESTIONS).interval,
        )

    def retention_gain(
        self, *, confidence: float = CONFIDENCE, effect: SeedEffect | None = None
    ) -> Measurement:
        """Retention minus the retention of the reference.

        Args:
            confidence: nominal coverage.
            effect: of seeds; estimated from this comparison alone when None.
        """
        return self._over(_all, _gain_of_retention, confidence, effect=effect)

    def _over(
        self,
        choose: Choose,
        statistic: Statistic,
        confidence: float = CONFIDENCE,
        *,
        of: str = QUESTIONS,
        effect: SeedEffect | None = None,
        documents_only: bool = False,
    ) -> Measurement:
        runs = [choose(run) for run in self._runs]
        references = [choose(reference) for reference in self._reference]
        by_seed = [
            _point(statistic, side_by_side(run, reference))
            for run, reference in zip(runs, references, strict=True)
        ]
        if not documents_only:
            effect = effect or SeedEffect.of(by_seed)
        bootstrap, deviations = self._bootstrap, None
        if effect is not None:
            deviations = effect.draws(len(bootstrap.weights), bootstrap.seed)
        columns = side_by_side(pooled(runs), pooled(references))
        interval = bootstrap.interval(
            statistic, columns, runs[0].columns[of], confidence=confidence, deviations=deviations
        )
        p = p_value(bootstrap.draws(statistic, columns, deviations)) if interval.defined else nan
        return Measurement(interval, tuple(by_seed), p)


def side_by_side(run: Tally, reference: Tally) -> Columns:
    """Columns of both, those of the reference under `reference:<name>`."""
    return {
        **run.columns,
        **{f"{REFERENCE}{name}": column for name, column in reference.columns.items()},
    }


def _point(statistic: Statistic, columns: Columns) -> float:
    return float(statistic({name: np.asarray(column.sum()) for name, column in columns.items()}))


def ablation_drop(
    full: Runs, ablations: Mapping[str, Runs], *, seed: int, resamples: int = RESAMPLES
) -> Measurement:
    """The largest fall of retention among ablations, with a simultaneous 95 % interval.

    Seeds are a random effect here too, with one standard deviation pooled over the ablations.

    Raises:
        LatentcompError: an ablation was evaluated with other seeds or on other questions.
        ValueError: no ablations.
    """
    if not ablations:
        raise ValueError("no ablations")
    drops = ablation_drops(full, ablations, seed=seed, resamples=resamples).values()
    lead = max(drops, key=lambda drop: drop.interval.point)
    return Measurement(largest([drop.interval for drop in drops]), lead.by_seed)


def ablation_drops(
    full: Runs, ablations: Mapping[str, Runs], *, seed: int, resamples: int = RESAMPLES
) -> dict[str, Measurement]:
    """The fall of retention of every ablation, with simultaneous intervals (Bonferroni).

    Raises:
        LatentcompError: as `ablation_drop`.
    """
    comparisons = {
        name: Comparison(full, ablated, seed=seed, resamples=resamples)
        for name, ablated in ablations.items()
    }
    effect = SeedEffect.of(*(each.retention_gain().by_seed for each in comparisons.values()))
    confidence = 1 - (1 - CONFIDENCE) / len(ablations)
    return {
        name: each.retention_gain(confidence=confidence, effect=effect)
        for name, each in comparisons.items()
    }


def _bin(choose: Choice, least: int, most: int | None, answers: Answers) -> Tally:
    return choose(answers, least, most)


def _all(answers: Answers) -> Tally:
    return answers.all()


def _of_time(answers: Answers) -> Tally:
    return answers.of_families(TIME_FAMILIES)


def _gain_of_retention(totals: Columns) -> FloatArray:
    mine = retained("compressed")(totals)
    return mine - _THEIRS(totals)


def _gain_of_accuracy(totals: Columns) -> FloatArray:
    return quotient(totals["compressed"] - totals["reference:compressed"], totals[QUESTIONS])


def _rise_of_stale(totals: Columns) -> FloatArray:
    return quotient(totals[_STALE] - totals[f"reference:{_STALE}"], totals[STALE_QUESTIONS])
