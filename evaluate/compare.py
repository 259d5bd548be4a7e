"""One recipe against another: the same documents, the same questions, several training seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..common.errors import LatentcompError
from .arms.table import REFERENCE_ARMS
from .gates import Evidence
from .measures import TIME_FAMILIES, Measure, Measurement
from .scores import ScoredAnswer, read_answers, read_source
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
    that documents stay the independent units.
    """

    def __init__(
        self, runs: Runs, reference: Runs, *, seed: int, resamples: int = RESAMPLES
    ) -> None:
        """Indexes both sides.

        Raises:
            LatentcompError: they have no or unequally many training seeds, or other questions.
        """
        if not runs or len(runs) != len(reference):
            raise LatentcompError(
                f"a comparison needs as many training seeds on both sides: {sorted(runs)} against "
                f"{sorted(reference)}; train the missing seeds"
            )
        self.seeds = tuple(sorted(runs))
        self._runs = [Answers(runs[key]) for key in self.seeds]
        self._reference = [Answers(reference[key]) for key in sorted(reference)]
        self._check_paired(runs, reference)
        self._bootstrap = Bootstrap.draw(
            len(self._runs[0].documents), seed=seed, resamples=resamples
        )

    @classmethod
    def of_files(
        cls, runs: Files, reference: Files, *, seed: int, resamples: int = RESAMPLES
    ) -> "Comparison":
        """The same from files of answers, which say what they are of.

        Raises:
            LatentcompError: a file cannot be read or does not say, or they are of other documents,
                another reasoner or another ratio.
        """
        paths = [*runs.values(), *reference.values()]
        for first, other in zip(paths, paths[1:], strict=False):
            ours, theirs = read_source(first), read_source(other)
            for field in ("corpus", "reasoner", "ratio"):
                if getattr(ours, field) != getattr(theirs, field):
                    raise LatentcompError(
                        f"{other}: its {field} is {getattr(theirs, field)}, and that of {first} "
                        f"{getattr(ours, field)}; evaluate both with the same options"
                    )
        return cls(
            {key: read_answers(path) for key, path in runs.items()},
            {key: read_answers(path) for key, path in reference.items()},
            seed=seed,
            resamples=resamples,
        )

    def _check_paired(self, runs: Runs, reference: Runs) -> None:
        sides = [*runs.values(), *reference.values()]
        _check_same(
            [_asked(rows) for rows in sides],
            "was asked on one side only, or with another answer or family; evaluate both sides "
            "with the same --documents and --seed",
        )
        # What does not depend on the recipe must not differ: else it is another reasoner, or
        # another device, and the difference is not that of the recipes alone.
        for arm in REFERENCE_ARMS:
            _check_same(
                [_said(rows, arm) for rows in sides],
                f"got another answer of the arm {arm} on one side; evaluate both sides with one "
                "reasoner, on one kind of device",
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
            "shuffled_minus_floor": self._over(None, difference("shuffled", "floor", QUESTIONS)),
            "ceiling_minus_floor": self._over(None, difference("ceiling", "floor", QUESTIONS)),
        }

    def retention_gain(self, *, confidence: float = CONFIDENCE) -> Measurement:
        """Retention minus the retention of the reference."""
        return self._over(None, _gain_of_retention, confidence)

    def evidence(self, *, tokens_per_latent: float) -> Evidence:
        """What the gate of a phase that compares recipes looks at."""
        rows = self._runs[0].all()
        return Evidence(
            documents=len(rows.documents),
            questions=round(float(rows.questions.sum())),
            seeds=self.seeds,
            tokens_per_latent=tokens_per_latent,
            measures=self.measures(),
            arms=self._runs[0].arms,
        )

    def _over(
        self,
        families: Sequence[str] | None,
        statistic: Statistic,
        confidence: float = CONFIDENCE,
        *,
        of: str = QUESTIONS,
    ) -> Measurement:
        pairs = [
            (_choose(run, families), _choose(reference, families))
            for run, reference in zip(self._runs, self._reference, strict=True)
        ]
        runs, references = [run for run, _ in pairs], [reference for _, reference in pairs]
        counts = runs[0].columns[of]
        both = self._interval(pooled(runs), pooled(references), counts, statistic, confidence)
        alone = [
            self._interval(run, reference, counts, statistic, confidence).point
            for run, reference in pairs
        ]
        return Measurement(both, tuple(alone))

    def _interval(
        self,
        run: Tally,
        reference: Tally,
        counts: FloatArray,
        statistic: Statistic,
        confidence: float,
    ) -> Interval:
        columns: Columns = {
            **run.columns,
            **{f"reference:{name}": column for name, column in reference.columns.items()},
        }
        return self._bootstrap.interval(statistic, columns, counts, confidence=confidence)


def ablation_drop(
    full: Runs, ablations: Mapping[str, Runs], *, seed: int, resamples: int = RESAMPLES
) -> Measurement:
    """The largest fall of retention among ablations, with a simultaneous 95 % interval.

    Raises:
        LatentcompError: an ablation was evaluated with other seeds or on other questions.
        ValueError: no ablations.
    """
    if not ablations:
        raise ValueError("no ablations")
    confidence = 1 - (1 - CONFIDENCE) / len(ablations)
    drops = [
        Comparison(full, ablated, seed=seed, resamples=resamples).retention_gain(
            confidence=confidence
        )
        for ablated in ablations.values()
    ]
    lead = max(drops, key=lambda drop: drop.interval.point)
    return Measurement(largest([drop.interval for drop in drops]), lead.by_seed)


def _asked(rows: Sequence[ScoredAnswer]) -> set[tuple[str, ...]]:
    return {(row.document_id, row.question_id, row.family, row.answer) for row in rows}


def _said(rows: Sequence[ScoredAnswer], arm: str) -> set[tuple[str, ...]]:
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
