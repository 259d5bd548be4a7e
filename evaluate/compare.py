"""One recipe against another: the same documents, the same questions, several training seeds."""

from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path

import numpy as np

from ..common.errors import LatentcompError
from .arms.table import REFERENCE_ARMS
from .comparable import Comparable, check_comparable
from .measures import TIME_FAMILIES, Measure, Measurement
from .scores import ScoredAnswer, read_answers, read_source
from .seed_effect import SeedEffect
from .stats import (
    CONFIDENCE,
    RESAMPLES,
    Bootstrap,
    Columns,
    FloatArray,
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

_STALE = stale_column("compressed")


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
        _check_paired(sides)
        answers = [Answers(rows) for rows in _with_shared_arms(sides)]
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
            "time_gain": self._over(TIME_FAMILIES, _gain_of_accuracy),
            "stale_rise": self._over(None, _rise_of_stale, of=STALE_QUESTIONS),
            "retention": self._over(None, retained("compressed")),
            "stale_rate": self._over(None, share(_STALE, STALE_QUESTIONS), of=STALE_QUESTIONS),
            "compressed_minus_shuffled": self._over(
                None, difference("compressed", "shuffled", QUESTIONS)
            ),
            # The self-check holds where its interval reaches 0: wider would be more lenient.
            "shuffled_minus_floor": self._over(
                None, difference("shuffled", "floor", QUESTIONS), documents_only=True
            ),
            "ceiling_minus_floor": self._over(None, difference("ceiling", "floor", QUESTIONS)),
        }

    def retention_gain(
        self, *, confidence: float = CONFIDENCE, effect: SeedEffect | None = None
    ) -> Measurement:
        """Retention minus the retention of the reference.

        Args:
            confidence: nominal coverage.
            effect: of seeds; estimated from this comparison alone when None.
        """
        return self._over(None, _gain_of_retention, confidence, effect=effect)

    def _over(
        self,
        families: Sequence[str] | None,
        statistic: Statistic,
        confidence: float = CONFIDENCE,
        *,
        of: str = QUESTIONS,
        effect: SeedEffect | None = None,
        documents_only: bool = False,
    ) -> Measurement:
        runs = [_choose(run, families) for run in self._runs]
        references = [_choose(reference, families) for reference in self._reference]
        by_seed = [
            _point(statistic, _side_by_side(run, reference))
            for run, reference in zip(runs, references, strict=True)
        ]
        if not documents_only:
            effect = effect or SeedEffect.of(by_seed)
        bootstrap, deviations = self._bootstrap, None
        if effect is not None:
            deviations = effect.draws(len(bootstrap.weights), bootstrap.seed)
        columns = _side_by_side(pooled(runs), pooled(references))
        interval = bootstrap.interval(
            statistic, columns, runs[0].columns[of], confidence=confidence, deviations=deviations
        )
        p = p_value(bootstrap.draws(statistic, columns, deviations)) if interval.defined else nan
        return Measurement(interval, tuple(by_seed), p)


def _side_by_side(run: Tally, reference: Tally) -> Columns:
    """Columns of both, those of the reference under `reference:<name>`."""
    return {
        **run.columns,
        **{f"reference:{name}": column for name, column in reference.columns.items()},
    }


def _point(statistic: Statistic, columns: Columns) -> float:
    return float(statistic({name: np.asarray(column.sum()) for name, column in columns.items()}))


def ablation_drop(
    full: Runs, ablations: Mapping[str, Runs], *, seed: int, resamples: int = RESAMPLES
) -> Measurement:
    """The largest fall of retention among ablations, with a simultaneous 95 % interval.

    Seeds are a random effect here too, with one standard deviation pooled over the m ablations:
    m (S - 1) degrees of freedom.

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


def _check_paired(sides: Sequence[Sequence[ScoredAnswer]]) -> None:
    _check_same(
        [_questions(rows) for rows in sides],
        "is on one side only, or with another answer or family; evaluate both sides "
        "with the same --documents and --seed",
    )
    # What does not depend on the recipe must not differ: else it is another reasoner, or
    # another device, and the difference is not that of the recipes alone.
    for arm in REFERENCE_ARMS:
        _check_same(
            [_predictions(rows, arm) for rows in sides],
            f"got another answer of the arm {arm} on one side; evaluate both sides with one "
            "reasoner, on one kind of device",
        )


def _with_shared_arms(sides: Sequence[Sequence[ScoredAnswer]]) -> list[list[ScoredAnswer]]:
    """The rows of every side, of those arms that all sides have."""
    shared = set.intersection(*({row.arm for row in rows} for rows in sides))
    if missing := [arm for arm in ("compressed", *REFERENCE_ARMS) if arm not in shared]:
        raise LatentcompError(
            f"the arm {missing[0]} was not measured on every side of the comparison; run "
            "`latentcomp evaluate` again for those without it"
        )
    return [[row for row in rows if row.arm in shared] for rows in sides]


def _questions(rows: Sequence[ScoredAnswer]) -> set[tuple[str, ...]]:
    return {(row.document_id, row.question_id, row.family, row.answer) for row in rows}


def _predictions(rows: Sequence[ScoredAnswer], arm: str) -> set[tuple[str, ...]]:
    return {(row.document_id, row.question_id, row.prediction) for row in rows if row.arm == arm}


def _check_same(sides: Sequence[set[tuple[str, ...]]], fault: str) -> None:
    for other in sides[1:]:
        if odd := sides[0] ^ other:
            document, question, *_ = min(odd)
            raise LatentcompError(f"question {question} of document {document} {fault}")


def _choose(answers: Answers, families: Sequence[str] | None) -> Tally:
    return answers.all() if families is None else answers.of_families(families)


def _gain_of_retention(totals: Columns) -> FloatArray:
    mine = retained("compressed")(totals)
    theirs = retained("reference:compressed", "reference:ceiling", "reference:floor")(totals)
    return mine - theirs


def _gain_of_accuracy(totals: Columns) -> FloatArray:
    return quotient(totals["compressed"] - totals["reference:compressed"], totals[QUESTIONS])


def _rise_of_stale(totals: Columns) -> FloatArray:
    return quotient(totals[_STALE] - totals[f"reference:{_STALE}"], totals[STALE_QUESTIONS])
