"""What one evaluation found: the record behind `evaluation.json`, the table and the report."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field

from ..common import atomic
from ..common.errors import LatentcompError
from ..common.record import Record, read_record
from .cells import Cell, Check, break_down, self_check
from .gates import Evidence
from .held_out import Source
from .measures import Measure, Measurement
from .samples import Sample
from .scores import ScoredAnswer
from .stats import RESAMPLES, Figure, Interval


class Sizes(Record):
    """What the evaluated documents amount to, summed over documents."""

    tokens: int
    """Document tokens, as the teacher reads them."""
    latents: int
    """Latents that the compressor says it made of them."""
    latent_bytes: int
    """Bytes of the latents as they would be stored."""
    state_bytes: int
    """Bytes of the teacher states they were made from."""
    text_bytes: int
    """Bytes of the text itself, UTF-8."""
    vectors: dict[str, int] = Field(default_factory=dict)
    """By arm: vectors that stood before the questions, counted in what the reasoner read."""

    @property
    def tokens_per_latent(self) -> float:
        """Document tokens per vector that the reasoner read in their place; NaN without any."""
        vectors = self.vectors.get("compressed", self.latents)
        return self.tokens / vectors if vectors else nan


class Bytes(Record):
    """The same documents in three forms; null where there are no latents."""

    latents: int | None = None
    """As latents."""
    states: int | None = None
    """As stored teacher states."""
    text: int | None = None
    """As UTF-8 text."""


class EvaluationResult(Record):
    """One evaluation. NaN (null in JSON) means not measured or undefined; it is never 0."""

    phase: int | None
    """Phase of the checkpoint; None for the teacher alone."""
    headline: str
    """The arm that `accuracy` and `by_family` speak of."""
    accuracy: Figure
    """Of the headline arm."""
    by_family: dict[str, Figure]
    """Accuracy of the headline arm by question family."""
    by_bucket: dict[str, Figure]
    """The same by third of the document that holds the evidence."""
    ceiling: Figure
    """Accuracy with the full document."""
    floor: Figure
    """Accuracy without any document."""
    shuffled: Figure
    """Accuracy with the latents of another document."""
    zero: Figure
    """Accuracy with latents of zeros."""
    stale_rate: Figure
    """Of the headline arm."""
    retention: Figure
    """Of the arm `compressed`."""
    retention_low: Figure
    """Lower end of its 95 % interval."""
    retention_high: Figure
    """Upper end."""
    ratio: Figure
    """Nominal compression: context tokens per latent."""
    tokens_per_latent: Figure
    """Measured compression: document tokens per vector that the reasoner read in their place.

    A little under the nominal one, as the number of latents is rounded up."""
    bytes: Bytes
    """The same in bytes."""
    documents: int
    """Held-out documents."""
    questions: int
    """Questions about them."""
    seed: int
    """Seed of the held-out documents, and of the resampling."""
    training_seeds: tuple[int, ...]
    """Seeds of the training runs behind the checkpoint."""
    arms: dict[str, Interval]
    """Accuracy by arm with intervals."""
    overall: Cell
    """All questions, every figure with its interval."""
    families: dict[str, Cell]
    """By question family."""
    buckets: dict[str, Cell]
    """By third of the document."""
    contrasts: dict[Measure, Interval]
    """Paired differences of accuracies."""
    checks: dict[str, Check]
    """`shuffled_at_floor`."""
    samples: tuple[Sample, ...] = ()
    """A few questions with what every arm answered, drawn by seed and not by hand."""
    skipped: tuple[int, ...] = ()
    """Phases that were skipped by flag before this one."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Code, versions, hardware, inputs."""
    corpus: Source | None = None
    """Which documents these are; None in results from before this was kept."""
    checkpoint_sha256: str | None = None
    """Of the weights that were measured; None for the teacher alone."""
    steps: int | None = None
    """Optimiser steps behind them."""
    finished: bool | None = None
    """Whether the budget of their training was used up."""
    vectors: dict[str, int] = Field(default_factory=dict)
    """By arm: vectors that stood before the questions; empty in results of earlier versions."""
    unjudged: str = ""
    """Why there is no verdict on these figures; empty where there is one, or none is due."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures has to know, a line each."""

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
            phase: phase of the checkpoint; None for the teacher alone.
            ratio: nominal tokens per latent; NaN without latents.
            sizes: totals over the documents; None without latents.
            training_seeds: seeds behind the checkpoint.
            samples: what the report shows as examples.
            skipped: phases skipped by flag.
            provenance: a record or a mapping that JSON can hold.
            headline: the arm that `accuracy` speaks of; `ceiling` for the teacher alone.
            resamples: bootstrap draws.

        Raises:
            LatentcompError: nothing was asked.
            ValueError: the arms did not answer the same questions.
        """
        if not rows:
            raise LatentcompError(
                "nothing to evaluate: the documents have no questions; give a corpus with questions"
            )
        found = break_down(rows, seed=seed, resamples=resamples)
        overall = found.overall
        kept = overall.retention.get("compressed")
        return cls(
            phase=phase,
            headline=headline,
            accuracy=_point(overall.accuracy.get(headline)),
            by_family=_accuracies(found.families, headline),
            by_bucket=_accuracies(found.buckets, headline),
            ceiling=_point(overall.accuracy.get("ceiling")),
            floor=_point(overall.accuracy.get("floor")),
            shuffled=_point(overall.accuracy.get("shuffled")),
            zero=_point(overall.accuracy.get("zero")),
            stale_rate=_point(overall.stale_rate.get(headline)),
            retention=_point(kept),
            retention_low=kept.low if kept else nan,
            retention_high=kept.high if kept else nan,
            ratio=ratio,
            tokens_per_latent=sizes.tokens_per_latent if sizes else nan,
            vectors=sizes.vectors if sizes else {},
            bytes=_bytes(sizes),
            documents=found.documents,
            questions=overall.questions,
            seed=seed,
            training_seeds=tuple(training_seeds),
            arms=overall.accuracy,
            overall=overall,
            families=found.families,
            buckets=found.buckets,
            contrasts=found.contrasts,
            checks={"shuffled_at_floor": self_check(found.contrasts.get("shuffled_minus_floor"))},
            samples=tuple(samples),
            skipped=tuple(skipped),
            provenance=_plain(provenance),
        )

    @property
    def documents_line(self) -> str:
        """What was read: `200 held-out documents, seed 7` or `12 documents of mine.jsonl`."""
        if self.corpus is not None and self.corpus.path is not None:
            return f"{self.documents} documents of {self.corpus.path}"
        return f"{self.documents} held-out documents, seed {self.seed}"

    def evidence(self, phase_ratio: float | None = None) -> Evidence:
        """What the gates of a single checkpoint look at.

        Args:
            phase_ratio: nominal tokens per latent of the phase; None where it does not matter.
        """
        measures: dict[Measure, Interval] = dict(self.contrasts)
        if kept := self.overall.retention.get("compressed"):
            measures["retention"] = kept
        if stale := self.overall.stale_rate.get("compressed"):
            measures["stale_rate"] = stale
        return Evidence(
            documents=self.documents,
            questions=self.questions,
            seeds=self.training_seeds,
            tokens_per_latent=self.tokens_per_latent,
            measures={name: Measurement(interval) for name, interval in measures.items()},
            arms=tuple(self.arms),
            seed=self.seed,
            corpus_sha256=self.corpus.sha256 if self.corpus else None,
            ratio=None if isnan(self.ratio) else self.ratio,
            phase_ratio=phase_ratio,
            checkpoint_sha256=self.checkpoint_sha256,
            steps=self.steps,
            finished=self.finished is not False,
        )

    def to_json(self) -> str:
        """JSON with null for NaN."""
        return self.model_dump_json(indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Writes `to_json` atomically."""
        atomic.write_text(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads what `write` wrote.

        Raises:
            LatentcompError: the file is missing or not such a record.
        """
        return read_record(cls, path)


def _point(interval: Interval | None) -> float:
    return nan if interval is None or isnan(interval.point) else interval.point


def _accuracies(cells: Mapping[str, Cell], arm: str) -> dict[str, float]:
    return {name: _point(cell.accuracy.get(arm)) for name, cell in cells.items()}


def _bytes(sizes: Sizes | None) -> Bytes:
    if sizes is None:
        return Bytes()
    return Bytes(latents=sizes.latent_bytes, states=sizes.state_bytes, text=sizes.text_bytes)


def _plain(provenance: BaseModel | Mapping[str, Any] | None) -> dict[str, Any]:
    if provenance is None:
        return {}
    if isinstance(provenance, BaseModel):
        return provenance.model_dump(mode="json")
    return dict(provenance)
