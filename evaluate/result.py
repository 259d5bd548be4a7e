"""The result of one evaluation: the record behind `evaluation.json`, the table and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import nan
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ..common import atomic
from ..common.errors import LatentcompError
from ..common.record import Record, read_record
from .balanced import Balanced
from .cell import accuracies_of, point_of
from .cells import Cell, Check, break_down, self_check
from .held_out import Source
from .measures import Measure
from .past import Past
from .ranking import Ranking
from .result_json import DERIVED, plain_mapping, plain_value
from .samples import Sample
from .scores import EXACT, AnswersSource, ScoredAnswer
from .sizes import Bytes, Sizes
from .stats import RESAMPLES, Figure, Interval


class EvaluationResult(Record):
    """One evaluation. NaN (null in JSON) means not measured or undefined; it is never 0."""

    phase: int | None
    """Phase of the checkpoint; None of any other recipe, and for the teacher alone."""
    headline: str
    """The arm that `accuracy` and `by_family` are of."""
    ratio: Figure
    """Nominal compression: context tokens per latent."""
    tokens_per_latent: Figure
    """Measured: document tokens per vector that the reasoner read; latents are rounded up."""
    bytes: Bytes
    """The same in bytes."""
    documents: int
    """Held-out documents: whole ones, however many beginnings of them were read."""
    seed: int
    """Seed of the held-out documents, and of the resampling."""
    training_seeds: tuple[int, ...]
    """Seeds of the training runs behind the checkpoint."""
    overall: Cell
    """All questions, every figure with its interval."""
    families: dict[str, Cell]
    """By question family."""
    buckets: dict[str, Cell]
    """By third of the document that holds the evidence."""
    contrasts: dict[Measure, Interval]
    """Paired differences of accuracies."""
    forms: dict[str, Cell] = Field(default_factory=dict)
    """By form of the answer; empty, as the next four, in results of earlier versions."""
    needs_days: dict[str, Cell] = Field(default_factory=dict)
    """By whether the days of chunks must be known: `yes`, `no`."""
    above_undated: dict[str, Interval] = Field(default_factory=dict)
    """By arm: its accuracy minus that of `undated`, over the questions that need days."""
    past: Past | None = None
    """By age of the answer, replaced values and chunks read; None where no evidence is known."""
    beginnings: int = 0
    """Beginnings of the documents that were read in their place; 0 where they were read whole."""
    scorer: str = EXACT
    """What decided which answers are right: a key of `evaluate.scores.SCORERS`."""
    f1: dict[str, Interval] = Field(default_factory=dict)
    """By arm: mean F1 of the words, where another scorer than exact match was asked for."""
    above_text: dict[str, Interval] = Field(default_factory=dict)
    """By arm of text with at most as many tokens: accuracy of `compressed` minus the arm's."""
    above_stale: dict[str, Interval] = Field(default_factory=dict)
    """By arm: its accuracy minus that without the last third, over the questions it settles."""
    balanced: Balanced | None = None
    """Accuracy and retention with every family and form weighed alike."""
    near_misses: dict[str, dict[str, int]] = Field(default_factory=dict)
    """By arm: wrong answers by what they are nearest to (`near_miss.VERDICTS`)."""
    near_misses_by_form: dict[str, dict[str, dict[str, int]]] = Field(default_factory=dict)
    """The same by form of the right answer; empty as above."""
    ranking: Ranking | None = None
    """Candidate ranking, where it was requested; not computed again with the other figures."""
    samples: tuple[Sample, ...] = ()
    """A few questions with the answer of every arm, drawn by seed and not by hand."""
    skipped: tuple[int, ...] = ()
    """Phases that lacked a verdict that counts when the weights were trained, or those before."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Code, versions, hardware, inputs."""
    corpus: Source | None = None
    """Which documents these are; None in results of earlier versions."""
    checkpoint_sha256: str | None = None
    """Of the weights that were measured; None for the teacher alone."""
    trained_ratios: tuple[float, ...] = ()
    """Ratios that these weights were trained for; empty as above, and in earlier results."""
    steps: int | None = None
    """Optimiser steps behind them."""
    finished: bool | None = None
    """Whether the budget of their training was used up."""
    vectors: dict[str, int] = Field(default_factory=dict)
    """By arm: vectors that stood before the questions; empty in results of earlier versions."""
    answer_tokens: int | None = None
    """Most tokens of an answer; None in earlier results: 16."""
    dtype: str | None = None
    """Precision of the models; None in earlier results: float32."""
    backend: str = "transformers"
    """Who computed the answers: the project's own loop on transformers, or `vllm`."""
    unjudged: str = ""
    """Why there is no verdict on these figures; empty where there is one, or none is due."""
    subject: str = ""
    """What was measured, for headings; empty for the teacher alone, and in earlier results."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures has to know, a line each."""

    @property
    def questions(self) -> int:
        """Questions about the documents."""
        return self.overall.questions

    @property
    def arms(self) -> dict[str, Interval]:
        """Accuracy by arm with intervals."""
        return self.overall.accuracy

    @property
    def accuracy(self) -> float:
        """Of the headline arm."""
        return point_of(self.arms.get(self.headline))

    @property
    def by_family(self) -> dict[str, float]:
        """Accuracy of the headline arm by question family."""
        return accuracies_of(self.families, self.headline)

    @property
    def by_bucket(self) -> dict[str, float]:
        """By third of the document that holds the evidence."""
        return accuracies_of(self.buckets, self.headline)

    @property
    def ceiling(self) -> float:
        """Accuracy with the full document."""
        return point_of(self.arms.get("ceiling"))

    @property
    def floor(self) -> float:
        """Accuracy without any document."""
        return point_of(self.arms.get("floor"))

    @property
    def shuffled(self) -> float:
        """Accuracy with the latents of another document."""
        return point_of(self.arms.get("shuffled"))

    @property
    def zero(self) -> float:
        """Accuracy with latents of zeros."""
        return point_of(self.arms.get("zero"))

    @property
    def stale_rate(self) -> float:
        """Of the headline arm."""
        return point_of(self.overall.stale_rate.get(self.headline))

    @property
    def retention(self) -> float:
        """Of the arm `compressed`."""
        return point_of(self.overall.retention.get("compressed"))

    @property
    def retention_low(self) -> float:
        """Lower end of its 95 % interval."""
        return kept.low if (kept := self.overall.retention.get("compressed")) else nan

    @property
    def retention_high(self) -> float:
        """Upper end."""
        return kept.high if (kept := self.overall.retention.get("compressed")) else nan

    @property
    def checks(self) -> dict[str, Check]:
        """`shuffled_at_floor`."""
        difference = self.contrasts.get("shuffled_minus_floor")
        return {"shuffled_at_floor": self_check(difference, self.arms)}

    @model_serializer(mode="wrap")
    def _with_derived(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields and, for programs that read the JSON, the figures derived from them."""
        return {**dump(self), **{name: plain_value(getattr(self, name)) for name in DERIVED}}

    @model_validator(mode="before")
    @classmethod
    def _without_derived(cls, values: object) -> object:
        """Drops the derived figures of a file: they are computed again, not believed."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if name not in DERIVED}

    @classmethod
    def from_scores(
        cls,
        rows: Sequence[ScoredAnswer],
        *,
        seed: int,
        phase: int | None = None,
        ratio: float = nan,
        sizes: Sizes | None = None,
        training_seeds: Sequence[int] = (),
        samples: Sequence[Sample] = (),
        skipped: Sequence[int] = (),
        provenance: BaseModel | Mapping[str, Any] | None = None,
        headline: str = "compressed",
        resamples: int = RESAMPLES,
    ) -> Self:
        """Condenses scored answers.

        Args:
            rows: every arm's answer to the same questions.
            seed: seed of the documents; also of the bootstrap.
            phase: phase of the checkpoint; None of any other recipe, and for the teacher alone.
            ratio: nominal tokens per latent; NaN without latents.
            sizes: totals over the documents; None without latents.
            training_seeds: seeds behind the checkpoint.
            samples: what the report shows as examples.
            skipped: phases that lacked a verdict that counts when the weights were trained.
            provenance: a record or a mapping that JSON can hold.
            headline: the arm that `accuracy` is of; `ceiling` for the teacher alone.
            resamples: bootstrap draws.

        Raises:
            LatentcompError: there are no rows.
            ValueError: the arms did not answer the same questions.
        """
        return cls(
            phase=phase,
            headline=headline,
            ratio=ratio,
            tokens_per_latent=sizes.tokens_per_latent if sizes else nan,
            vectors=sizes.vectors if sizes else {},
            bytes=sizes.bytes if sizes else Bytes(),
            seed=seed,
            training_seeds=tuple(training_seeds),
            samples=tuple(samples),
            skipped=tuple(skipped),
            provenance=plain_mapping(provenance),
            **_figures(rows, seed, resamples),
        )

    def recomputed(self, rows: Sequence[ScoredAnswer], source: AnswersSource) -> Self:
        """The same evaluation with every figure computed again from its answers.

        Args:
            rows: of every arm, best scored again (`rescore`).
            source: recorded with the answers; ratio and checkpoint are taken from it.

        Raises: LatentcompError or ValueError, as above.
        """
        changes = _figures(rows, self.seed, RESAMPLES) | {"scorer": source.scorer}
        changes |= {"ratio": source.ratio, "checkpoint_sha256": source.checkpoint}
        if source.tokens and (read := (source.vectors or {}).get("compressed")):
            changes |= {"tokens_per_latent": source.tokens / read, "vectors": source.vectors}
        return self.model_copy(update=changes)

    @property
    def readings(self) -> int:
        """Documents as they were read, every beginning counted."""
        return self.beginnings or self.documents

    def to_json(self) -> str:
        """JSON with null for NaN."""
        return self.model_dump_json(indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Writes `to_json` atomically."""
        atomic.write_text(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads what `write` wrote. Raises: LatentcompError, it is missing or no such record."""
        return read_record(cls, path)


def _figures(rows: Sequence[ScoredAnswer], seed: int, resamples: int) -> dict[str, Any]:
    """All that an evaluation computes from its answers."""
    if not rows:
        raise LatentcompError(
            "nothing to evaluate: the documents have no questions; give a corpus with questions"
        )
    breakdown = break_down(rows, seed=seed, resamples=resamples)
    return {field.name: getattr(breakdown, field.name) for field in fields(breakdown)}
