"""CE utilisation with intervals: which families have anything to retain, and how much of it is.

CE utilisation of an arm is (NLL none - NLL arm) / (NLL none - NLL full) over the tokens of the
right answers (Still, arXiv 2606.07878): 0 is the cost without the document, 1 that with all of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from pydantic import Field

from ...common import atomic
from ...common.record import Record, read_record
from ..arms.table import REFERENCE_ARMS, in_order
from ..held_out import Source
from ..past import AGES
from ..seed_effect import SeedEffect
from ..sizes import Bytes, Sizes
from ..stats import (
    RESAMPLES,
    Bootstrap,
    Columns,
    Figure,
    FloatArray,
    Interval,
    difference,
    quotient,
    retained,
    share,
)
from .measure import AnswerCost

LEAST_GAIN: Final = 0.10
"""Nats an answer token that the whole document must save, at the lower end of the interval, for a
family to count. Written before any compressor was measured; looks at ceiling and floor alone."""
SHUFFLED_MARGIN: Final = 0.02
"""Shuffled latents are at their floor when the upper end of their utilisation is below this, and
are not when the lower end is above 0; between the two more documents would tell."""
LENGTHS: Final[tuple[tuple[str, int, int | None], ...]] = (
    ("0-255", 0, 255),
    ("256-511", 256, 511),
    ("512-1023", 512, 1023),
    ("1024-2047", 1024, 2047),
    ("2048+", 2048, None),
)
"""(name, least, most): tokens of the document."""
_TOKENS: Final = "tokens"


class UtilisationCell(Record):
    """Figures over one choice of questions."""

    questions: int
    tokens: int
    """Answer tokens."""
    nats: dict[str, Interval]
    """By arm: mean negative log-likelihood of an answer token."""
    gain: Interval
    """NLL none - NLL full an answer token: what there is to retain."""
    utilisation: dict[str, Interval]
    """By arm, but for ceiling and floor; NaN where the document saves nothing."""
    above_shuffled: Interval | None = None
    """Utilisation of the latents minus that of another document's; None without both arms."""


class UtilisationResult(Record):
    """One measurement. NaN (null in JSON) means not measured or undefined; it is never 0."""

    name: str
    """What was measured, such as `phase-4/seed-0`; the reasoner's name where it was alone."""
    ratio: Figure = nan
    """Nominal compression: document tokens per latent."""
    tokens_per_latent: Figure = nan
    """Measured compression."""
    bytes: Bytes = Bytes()
    documents: int
    seed: int
    """Of the documents, of the shuffle and of the resampling."""
    least_gain: float = LEAST_GAIN
    """The rule: nats a token that the document must save for a family to count."""
    overall: UtilisationCell | None
    """Over the families that count; None where none does."""
    families: dict[str, UtilisationCell]
    """Every family, whether it counts or not."""
    left_out: tuple[str, ...]
    """Families that do not count: the full text is not clearly above none."""
    lengths: dict[str, UtilisationCell] = Field(default_factory=dict)
    """By tokens of the document, of the families that count."""
    ages: dict[str, UtilisationCell] = Field(default_factory=dict)
    """By chunks behind the evidence, of the families that count."""
    shuffled_at_floor: bool | None = None
    """The self-check; None where it could not be made, or where more documents would tell."""
    corpus: Source | None = None
    checkpoint_sha256: str | None = None
    trained_ratios: tuple[float, ...] = ()
    steps: int | None = None
    dtype: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader of the figures has to know, a line each."""
    provenance: dict[str, Any] = Field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it as JSON, atomically, with null for NaN."""
        atomic.write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote. Raises: LatentcompError, it is missing or no such record."""
        return read_record(cls, path)


def figures_of(
    rows: Sequence[AnswerCost], sizes: Sizes | None, *, seed: int, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """All that a measurement computes from its costs, by field of `UtilisationResult`.

    Args:
        rows: every arm's costs of the same answers; of several trainings, all of them together
            with the same documents: a document then weighs its mean over the trainings.
        sizes: totals over the documents; None without latents.
        seed: of the bootstrap.
        resamples: its draws.

    Raises:
        ValueError: there are no rows, or the arms have not the same answers.
    """
    table = _Table(rows, seed, resamples)
    families = {name: table.cell(table.family == name) for name in sorted(set(table.family))}
    counted = [name for name, cell in families.items() if _counts(cell)]
    chosen = np.isin(table.family, counted)
    overall = table.cell(chosen) if counted else None
    return {
        "documents": len(table.documents),
        "seed": seed,
        "tokens_per_latent": sizes.tokens_per_latent if sizes else nan,
        "bytes": sizes.bytes if sizes else Bytes(),
        "overall": overall,
        "families": families,
        "left_out": tuple(name for name in families if name not in counted),
        "lengths": table.cells(chosen, table.length, LENGTHS),
        "ages": table.cells(chosen, table.age, AGES),
        "shuffled_at_floor": _check(overall),
    }


def pooled_utilisation(
    by_seed: Mapping[int, Sequence[AnswerCost]],
    families: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> tuple[dict[str, Interval], dict[str, tuple[float, ...]]]:
    """By arm: utilisation over some families with the chance of seeds, and by training.

    Args:
        by_seed: training seed -> costs of the same answers.
        families: those that count.
        seed: of the bootstrap.
        resamples: its draws.
    """
    chosen = {
        number: _Table([row for row in rows if row.family in families], seed, resamples)
        for number, rows in by_seed.items()
    }
    alone = {number: table.cell(table.family == table.family) for number, table in chosen.items()}
    every = _Table(
        [row for rows in by_seed.values() for row in rows if row.family in families],
        seed,
        resamples,
    )
    arms = [arm for arm in every.arms if arm not in REFERENCE_ARMS]
    points = {arm: tuple(cell.utilisation[arm].point for cell in alone.values()) for arm in arms}
    return {arm: every.with_seeds(arm, points[arm]) for arm in arms}, points


def _counts(cell: UtilisationCell) -> bool:
    return cell.gain.defined and cell.gain.low > LEAST_GAIN


def _check(overall: UtilisationCell | None) -> bool | None:
    interval = overall.utilisation.get("shuffled") if overall else None
    if interval is None or not interval.defined:
        return None
    if interval.high < SHUFFLED_MARGIN:
        return True
    return False if interval.low > 0 else None


class _Table:
    """Costs as arrays, with one draw of documents for every figure."""

    def __init__(self, rows: Sequence[AnswerCost], seed: int, resamples: int) -> None:
        if not rows:
            raise ValueError("no answers were weighed")
        self.arms = in_order(row.arm for row in rows)
        self.documents = tuple(sorted({row.cluster for row in rows}))
        position = {name: index for index, name in enumerate(self.documents)}
        self._arm = np.array([row.arm for row in rows])
        self._document = np.array([position[row.cluster] for row in rows], np.int64)
        self._value = np.array([row.log_likelihood for row in rows], np.float64)
        self._tokens = np.array([row.tokens for row in rows], np.float64)
        self.family = np.array([row.family for row in rows])
        self.length = np.array([row.document_tokens for row in rows], np.int64)
        self.age = np.array([-1 if row.age is None else row.age for row in rows], np.int64)
        self._bootstrap = Bootstrap.draw(len(self.documents), seed=seed, resamples=resamples)
        self._check_paired(rows)

    def _check_paired(self, rows: Sequence[AnswerCost]) -> None:
        weighed: dict[str, list[tuple[str, str, int]]] = {arm: [] for arm in self.arms}
        for row in rows:
            weighed[row.arm].append((row.document_id, row.question_id, row.tokens))
        first = sorted(weighed[self.arms[0]])
        for arm, answers in weighed.items():
            if sorted(answers) != first:
                raise ValueError(f"{self.arms[0]} and {arm} did not weigh the same answers")

    def cells(
        self,
        chosen: np.ndarray[Any, np.dtype[np.bool_]],
        values: np.ndarray[Any, np.dtype[np.int64]],
        bins: Iterable[tuple[str, int, int | None]],
    ) -> dict[str, UtilisationCell]:
        """A cell a bin that has any question."""
        made = {}
        for name, least, most in bins:
            inside = chosen & (values >= least)
            if most is not None:
                inside &= values <= most
            if inside.any():
                made[name] = self.cell(inside)
        return made

    def cell(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> UtilisationCell:
        """Figures over the rows of some questions."""
        columns = {arm: self._sums(chosen & (self._arm == arm), self._value) for arm in self.arms}
        first = chosen & (self._arm == self.arms[0])
        columns[_TOKENS] = self._sums(first, self._tokens)
        counts = self._sums(first, np.ones_like(self._tokens))
        interval = self._bootstrap.interval
        measured = [arm for arm in self.arms if arm not in REFERENCE_ARMS]
        return UtilisationCell(
            questions=round(float(counts.sum())),
            tokens=round(float(columns[_TOKENS].sum())),
            nats={
                arm: interval(share(arm, _TOKENS), _costs(columns, arm), counts)
                for arm in self.arms
            },
            gain=interval(difference("ceiling", "floor", _TOKENS), columns, counts),
            utilisation={arm: interval(retained(arm), columns, counts) for arm in measured},
            above_shuffled=interval(_above_shuffled, columns, counts)
            if {"compressed", "shuffled"} <= columns.keys()
            else None,
        )

    def with_seeds(self, arm: str, points: Sequence[float]) -> Interval:
        """Utilisation over all rows, with what the figures of a few trainings leave open."""
        first = self._arm == self.arms[0]
        columns = {name: self._sums(self._arm == name, self._value) for name in self.arms}
        effect = SeedEffect.of(points)
        draws = len(self._bootstrap.weights)
        return self._bootstrap.interval(
            retained(arm),
            columns,
            self._sums(first, np.ones_like(self._tokens)) / len(points),
            deviations=effect.draws(draws, self._bootstrap.seed) if effect else None,
        )

    def _sums(self, chosen: np.ndarray[Any, np.dtype[np.bool_]], values: FloatArray) -> FloatArray:
        weights = values[chosen]
        return np.bincount(self._document[chosen], weights, len(self.documents)).astype(np.float64)


def _above_shuffled(totals: Columns) -> FloatArray:
    worth = totals["ceiling"] - totals["floor"]
    return quotient(totals["compressed"] - totals["shuffled"], worth)


def _costs(columns: Mapping[str, FloatArray], arm: str) -> dict[str, FloatArray]:
    return {arm: -columns[arm], _TOKENS: columns[_TOKENS]}
