"""What one evaluation found: the record behind `evaluation.json`, the table and the report."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import LatentcompError
from ..store import atomic
from .gates import (
    SHUFFLED_MARGIN,
    Evidence,
    Measure,
    Measurement,
    shuffled_at_floor,
)
from .samples import Sample
from .scores import Arm, ScoredAnswer
from .stats import (
    RESAMPLES,
    Bootstrap,
    Figure,
    Interval,
    difference,
    retained,
    share,
)
from .tally import QUESTIONS, STALE_QUESTIONS, Answers, Tally, stale_column

RecordT = TypeVar("RecordT", bound=BaseModel)

REFERENCE_ARMS: tuple[Arm, ...] = ("ceiling", "floor")
"""They define retention, so they have none."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Sizes(_Record):
    """What the evaluated documents amount to, summed over documents."""

    tokens: int
    """Document tokens, as the teacher reads them."""
    latents: int
    """Latents that stand for them."""
    latent_bytes: int
    """Bytes of the latents as they would be stored."""
    state_bytes: int
    """Bytes of the teacher states they were made from."""
    text_bytes: int
    """Bytes of the text itself, UTF-8."""


class Bytes(_Record):
    """The same documents in three forms; null where there are no latents."""

    latents: int | None = None
    """As latents."""
    states: int | None = None
    """As stored teacher states."""
    text: int | None = None
    """As UTF-8 text."""


class Cell(_Record):
    """Figures over one choice of questions: all, a family, or a time bucket."""

    questions: int
    """Questions in the cell."""
    accuracy: dict[Arm, Interval]
    """Greedy exact match by arm."""
    stale_rate: dict[Arm, Interval]
    """Stale answers / answers to questions that have a replaced value, by arm."""
    retention: dict[Arm, Interval]
    """(accuracy - floor) / (ceiling - floor) by arm; NaN where the ceiling is not above."""


class Check(_Record):
    """The instrument looking at itself."""

    passed: bool | None
    """None where it could not be made (an arm is missing, or there is a single document)."""
    interval: Interval | None
    """Of the paired difference of accuracies that was looked at."""
    margin: float
    """Pre-registered margin, in accuracy."""
    message: str
    """One line in words."""


class EvaluationResult(_Record):
    """One evaluation. NaN (null in JSON) means not measured or undefined; it is never 0."""

    phase: int | None
    """Phase of the checkpoint; None for the teacher alone."""
    headline: Arm
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
    """Measured compression; a little under the nominal one, as latents are rounded up."""
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
    arms: dict[Arm, Interval]
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
        headline: Arm = "compressed",
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
        answers = Answers(rows)
        bootstrap = Bootstrap.draw(len(answers.documents), seed=seed, resamples=resamples)
        overall = _cell(answers.all(), answers.arms, bootstrap)
        families = {
            family: _cell(answers.of_families([family]), answers.arms, bootstrap)
            for family in answers.families
        }
        buckets = {
            bucket: _cell(answers.of_bucket(bucket), answers.arms, bootstrap)
            for bucket in answers.buckets
        }
        contrasts = _contrasts(answers.all(), answers.arms, bootstrap)
        kept = overall.retention.get("compressed")
        return cls(
            phase=phase,
            headline=headline,
            accuracy=_point(overall.accuracy.get(headline)),
            by_family={
                name: _point(cell.accuracy.get(headline)) for name, cell in families.items()
            },
            by_bucket={name: _point(cell.accuracy.get(headline)) for name, cell in buckets.items()},
            ceiling=_point(overall.accuracy.get("ceiling")),
            floor=_point(overall.accuracy.get("floor")),
            shuffled=_point(overall.accuracy.get("shuffled")),
            zero=_point(overall.accuracy.get("zero")),
            stale_rate=_point(overall.stale_rate.get(headline)),
            retention=_point(kept),
            retention_low=kept.low if kept else nan,
            retention_high=kept.high if kept else nan,
            ratio=ratio,
            tokens_per_latent=sizes.tokens / sizes.latents if sizes and sizes.latents else nan,
            bytes=_bytes(sizes),
            documents=len(answers.documents),
            questions=overall.questions,
            seed=seed,
            training_seeds=tuple(training_seeds),
            arms=overall.accuracy,
            overall=overall,
            families=families,
            buckets=buckets,
            contrasts=contrasts,
            checks={"shuffled_at_floor": _self_check(contrasts.get("shuffled_minus_floor"))},
            samples=tuple(samples),
            skipped=tuple(skipped),
            provenance=_plain(provenance),
        )

    def evidence(self) -> Evidence:
        """What the gates of a single checkpoint look at."""
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


def read_record(kind: type[RecordT], path: Path) -> RecordT:
    """Reads a JSON file into a pydantic record.

    Raises:
        LatentcompError: the file is missing, unreadable or not such a record; one line.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise LatentcompError(
            f"{path}: cannot be read ({error.strerror}); run `latentcomp evaluate` first"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise LatentcompError(
            f"{path}: not a {kind.__name__}: {where}: {first['msg']}; "
            "run `latentcomp evaluate` again"
        ) from error


def _cell(tally: Tally, arms: Sequence[Arm], bootstrap: Bootstrap) -> Cell:
    columns, counts = tally.columns, tally.questions
    measurable = [arm for arm in arms if arm not in REFERENCE_ARMS] if _has_scale(arms) else []
    return Cell(
        questions=round(float(counts.sum())),
        accuracy={arm: bootstrap.interval(share(arm, QUESTIONS), columns, counts) for arm in arms},
        stale_rate={
            arm: bootstrap.interval(
                share(stale_column(arm), STALE_QUESTIONS), columns, tally.stale_questions
            )
            for arm in arms
        },
        retention={arm: bootstrap.interval(retained(arm), columns, counts) for arm in measurable},
    )


def _has_scale(arms: Sequence[Arm]) -> bool:
    return all(arm in arms for arm in REFERENCE_ARMS)


_CONTRASTS: Mapping[Measure, tuple[Arm, Arm]] = {
    "compressed_minus_shuffled": ("compressed", "shuffled"),
    "shuffled_minus_floor": ("shuffled", "floor"),
    "ceiling_minus_floor": ("ceiling", "floor"),
}


def _contrasts(tally: Tally, arms: Sequence[Arm], bootstrap: Bootstrap) -> dict[Measure, Interval]:
    return {
        name: bootstrap.interval(difference(plus, minus, QUESTIONS), tally.columns, tally.questions)
        for name, (plus, minus) in _CONTRASTS.items()
        if plus in arms and minus in arms
    }


def _self_check(interval: Interval | None) -> Check:
    if interval is None or not interval.defined:
        passed, message = None, "self-check not made: it needs the arms shuffled and floor"
        if interval is not None:
            message = "self-check not made: one document says nothing of an interval"
    else:
        passed = shuffled_at_floor(interval)
        span = (
            f"shuffled - floor = {interval.point:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
        )
        message = (
            f"self-check holds: shuffled latents are at the floor ({span})"
            if passed
            else f"SELF-CHECK FAILED: shuffled latents beat the floor ({span}); "
            "what these latents gain is not all read from the document"
        )
    return Check(passed=passed, interval=interval, margin=SHUFFLED_MARGIN, message=message)


def _point(interval: Interval | None) -> float:
    return nan if interval is None or isnan(interval.point) else interval.point


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
