"""An evaluation from Python: every arm on the same questions, as a record and as tables."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from ..common import provenance
from ..common.errors import CorpusError, LatentcompError, UsageError
from ..corpus.files import corpus_sha256
from ..evaluate.arms.table import in_order
from ..evaluate.bench import Bench
from ..evaluate.held_out import (
    HeldOutSet,
    Source,
    held_out,
    known_names,
    scorer_note,
    undated_in_text,
)
from ..evaluate.result import EvaluationResult
from ..evaluate.scores import EXACT, ScoredAnswer
from ..evaluate.stats import Interval
from ..evaluate.suite import run_arms
from ..evaluate.table import print_result
from ..experiment.eligibility import is_finished
from ..experiment.lineage import Lineage
from ..experiment.looks import log_look
from ..experiment.phases import PHASES
from ..experiment.run_folder import RunFolder
from ..extract.read_documents import read_documents
from ..models.foreign import foreign_note
from .compressor import Compressor
from .documents import Texts, as_documents
from .reasoner import Reasoner

if TYPE_CHECKING:
    from pandas import DataFrame

UNJUDGED: Final = "measured from Python; `latentcomp evaluate` gives verdicts"
_UNKNOWN: Final = (
    "the documents that this compressor was trained on are not at hand, so whether some of these "
    "are among them was not checked"
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured: figures with intervals, and every single answer."""

    result: EvaluationResult
    """The record that `latentcomp evaluate --json` writes too."""
    answers: tuple[ScoredAnswer, ...]
    """Of every arm to every question."""

    @property
    def retention(self) -> Interval | None:
        """(accuracy - floor) / (ceiling - floor) with its 95 % interval; NaN where undefined."""
        return self.result.overall.retention.get("compressed")

    @property
    def accuracy(self) -> dict[str, Interval]:
        """By arm, with 95 % intervals over documents."""
        return {arm: self.result.arms[arm] for arm in in_order(self.result.arms)}

    def to_json(self) -> str:
        """The record; null where something is not measured or undefined, never 0."""
        return self.result.to_json()

    def write(self, path: Path) -> None:
        """Write `to_json` atomically."""
        self.result.write(path)

    def to_pandas(self, what: str = "answers") -> "DataFrame":
        """A table: `answers` (a row an answer), `arms`, or `families` (a row an arm and family).

        Raises:
            LatentcompError: pandas is not installed, or there is no such table.
        """
        if what not in _TABLES:
            raise UsageError(f"there is no table {what!r}; give one of {', '.join(_TABLES)}")
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise LatentcompError(
                "pandas is not installed; `pip install 'latentcomp[analysis]'`"
            ) from error
        return DataFrame(_TABLES[what](self))

    def rows(self, what: str = "answers") -> list[dict[str, Any]]:
        """The same as plain dicts, without pandas. Raises: UsageError, no such table."""
        if what not in _TABLES:
            raise UsageError(f"there is no table {what!r}; give one of {', '.join(_TABLES)}")
        return _TABLES[what](self)

    def __str__(self) -> str:
        """The table of `latentcomp evaluate`, with the instrument's check of itself."""
        text = StringIO()
        print_result(self.result, Console(file=text, width=100, markup=False, highlight=False))
        return text.getvalue()


def evaluate(
    compressor: Compressor,
    documents: Texts,
    *,
    ratio: float | None = None,
    reasoner: str | None = None,
    arms: Sequence[str] = (),
    seed: int = 0,
    batch_size: int = 8,
    progress: Callable[[str, int], None] = lambda arm, documents: None,
) -> Evaluation:
    """Measure what survives of documents that the compressor was not trained on.

    No verdict comes of it. If the compressor lies in a run folder, the look is logged there as that
    of any other evaluation.

    Args:
        compressor: what is measured.
        documents: with questions, at least two; or the `Path` of a corpus.
        ratio: tokens per latent; what it was trained for when None.
        reasoner: name or folder of who answers, where the record cannot name it.
        arms: optional ones besides, such as `truncation`.
        seed: of the shuffle, the random latents and the resampling.
        batch_size: documents at once.
        progress: receives the arm and the number of documents just finished.

    Raises:
        LatentcompError: fewer than two documents with questions, documents that it was trained on,
            or models that cannot be had.
    """
    held, trial = _held_out(documents), compressor.trial
    lineage = _lineage(compressor)
    lineage.refuse(held.documents, held.source)
    lm = Reasoner.from_pretrained(reasoner, compressor=compressor).lm
    chosen = compressor.ratios[0] if ratio is None else ratio
    read = partial(
        read_documents, compressor.teacher, layers=compressor.spec.layers, batch_size=batch_size
    )
    bench = Bench(compressor.model, read, lm, chosen, batch_size, arms=tuple(arms))
    inputs = {"checkpoint": compressor.sha256, "corpus": held.source.sha256}
    seen = provenance.collect({"evaluate": seed}, inputs)  # before the work: the code as it is now
    outcome = run_arms(bench, held.documents, seed, progress)
    _log(compressor, held, chosen)
    numbers = {each.recipe.name: each.number for each in PHASES}
    result = EvaluationResult.from_scores(
        outcome.rows,
        seed=seed,
        phase=numbers.get(trial.recipe.name),
        ratio=chosen,
        sizes=outcome.sizes,
        training_seeds=(trial.seed,),
        skipped=trial.skipped,
        provenance=seen,
    ).model_copy(update=_of_checkpoint(compressor, held, chosen))
    return Evaluation(result, tuple(outcome.rows))


def _held_out(documents: Texts) -> HeldOutSet:
    """Those with questions. Raises: CorpusError, fewer than two."""
    if isinstance(documents, Path):
        return held_out(documents, "", 0, 0)
    given = tuple(one for one in as_documents(documents) if one.questions)
    count = len({one.original for one in given})
    if count < 2:
        raise CorpusError(
            f"{count} documents with questions; at least 2 are needed, because one control "
            "borrows the latents of another document"
        )
    return HeldOutSet(given, Source(sha256=corpus_sha256(given), path="Python"))


def _lineage(compressor: Compressor) -> Lineage:
    trial, run = compressor.trial, compressor.run
    if run is None:
        return Lineage(tuple(each.data for each in trial.lineage()), None)
    return Lineage.of(trial, RunFolder(run).corpus, own=True)


def _log(compressor: Compressor, held: HeldOutSet, ratio: float) -> None:
    """Log the look where verdicts of the run could be chosen by it."""
    if compressor.run is not None:
        log_look(
            RunFolder(compressor.run),
            trial=compressor.name,
            recipe=compressor.trial.recipe,
            checkpoint_sha256=compressor.sha256,
            corpus_sha256=held.source.sha256,
            seed=held.source.seed,
            documents=held.originals,
            ratio=ratio,
        )


def _of_checkpoint(compressor: Compressor, held: HeldOutSet, ratio: float) -> dict[str, Any]:
    """What the record says of the weights and of the documents."""
    state, trial = compressor.opened.weights.state, compressor.trial
    hidden = compressor.run is None and any(
        one.data.get("kind") == "store" for one in trial.lineage()
    )
    notes = (
        foreign_note(compressor.spec.teacher, held.world),
        scorer_note(held, EXACT),
        known_names(held.source),
        undated_in_text(held.documents) if compressor.spec.config.time else "",
        trial.untrained_ratio(ratio),
        _UNKNOWN if hidden else "",
    )
    return {
        "corpus": held.source,
        "checkpoint_sha256": compressor.sha256,
        "trained_ratios": trial.trained_ratios,
        "steps": state.step,
        "finished": is_finished(state),
        "unjudged": UNJUDGED,
        "subject": f"compressor {compressor.name}",
        "notes": tuple(note for note in notes if note),
    }


def _answers(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [asdict(answer) for answer in evaluation.answers]


def _arms(evaluation: Evaluation) -> list[dict[str, Any]]:
    cell = evaluation.result.overall
    return [_row(arm, cell.accuracy.get(arm), cell.retention.get(arm)) for arm in cell.accuracy]


def _families(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [
        {"family": family, "questions": cell.questions}
        | _row(arm, cell.accuracy.get(arm), cell.retention.get(arm))
        for family, cell in evaluation.result.families.items()
        for arm in cell.accuracy
    ]


def _row(arm: str, accuracy: Interval | None, retention: Interval | None) -> dict[str, Any]:
    row: dict[str, Any] = {"arm": arm}
    for name, interval in (("accuracy", accuracy), ("retention", retention)):
        for part in ("point", "low", "high"):
            key = name if part == "point" else f"{name}_{part}"
            row[key] = getattr(interval, part) if interval else float("nan")
    return row


_TABLES: Final = {"answers": _answers, "arms": _arms, "families": _families}
