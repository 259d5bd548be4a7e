"""Evidence: figures computed again from recorded answers instead of trusting stored ones.

`evaluation.json` says what was evaluated; every figure of it is computed again from the rows of
`answers.parquet`, and those are scored again against the documents' own answers.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isnan
from pathlib import Path

from ..common.atomic import file_sha256
from ..common.errors import CheckpointError, CorpusError, LatentcompError
from ..corpus.beginnings import in_steps
from ..corpus.files import corpus_sha256, read_corpus
from ..corpus.generators import UNRECORDED
from ..corpus.records import Document
from ..evaluate.arms.table import in_order
from ..evaluate.compare import Comparison, ablation_drop
from ..evaluate.held_out import Source, held_out
from ..evaluate.measures import Measure, Measurement
from ..evaluate.result import EvaluationResult
from ..evaluate.scores import AnswersSource, ScoredAnswer, read_answers, read_source, rescore
from ..train.checkpoint import MODEL, CheckpointState, open_checkpoint
from .gates import Evidence
from .run_folder import EvaluationFolder, TrialFolder


@dataclass(frozen=True)
class Measured:
    """One evaluation of one trial, read back from its answers."""

    trial: TrialFolder
    folder: EvaluationFolder
    recorded: EvaluationResult
    """What was evaluated, and its figures as they were then; see `result`."""
    source: AnswersSource
    """What the file of answers is of."""
    rows: tuple[ScoredAnswer, ...]
    """Scored just now, where the documents can be had again."""
    answers_sha256: str
    """Of the file of answers."""
    state: CheckpointState | None
    """Of the weights that were measured; None where the trial holds others by now."""
    documents_gone: bool = False
    """Whether the documents could not be had again, so that right answers are as recorded."""

    @functools.cached_property
    def result(self) -> EvaluationResult:
        """What was evaluated, with every figure computed from `rows` just now."""
        return self.recorded.recomputed(self.rows, self.source)

    @functools.cached_property
    def arms(self) -> tuple[str, ...]:
        """That answered, in the order in which they are shown."""
        return in_order(row.arm for row in self.rows)

    @functools.cached_property
    def size(self) -> tuple[int, int]:
        """Whole documents, and questions about them or their beginnings."""
        keys = {(row.document_id, row.question_id) for row in self.rows}
        return len({row.cluster for row in self.rows}), len(keys)

    @property
    def steps(self) -> int | None:
        """Beginnings of each document that were read; None of documents as they are."""
        return self.recorded.corpus.steps if self.recorded.corpus else None

    @property
    def tokens_per_latent(self) -> float:
        """Of the vectors that the reasoner really had; as recorded in files before 0.2."""
        vectors = (self.source.vectors or {}).get("compressed")
        if self.source.tokens and vectors:
            return self.source.tokens / vectors
        return self.recorded.tokens_per_latent

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader has to know: figures that were edited, documents that are gone."""
        lines = []
        if self.documents_gone:
            lines.append(
                "The documents of this evaluation cannot be had again, so its right answers are "
                "taken as they were recorded."
            )
        if not _agree(self.recorded, self.result):
            lines.append(
                f"{self.folder.result} was changed after it was written: it says other figures "
                "than its answers do. Those of the answers are shown."
            )
        return tuple(lines)


def load_evaluation(trial: TrialFolder, folder: EvaluationFolder) -> Measured:
    """Read an evaluation and compute its figures from its answers.

    Raises:
        LatentcompError: a file is missing or damaged, the two are not of the same weights and
            documents, or answers are missing.
    """
    recorded = EvaluationResult.read(folder.result)
    source, sha256 = read_source(folder.answers), file_sha256(folder.answers)
    corpus = recorded.corpus.sha256 if recorded.corpus else None
    if (source.checkpoint, source.corpus) != (recorded.checkpoint_sha256, corpus):
        raise LatentcompError(
            f"{folder.result} and {folder.answers.name} beside it are not of the same weights and "
            f"documents; remove this evaluation and evaluate {trial.recipe} again, with "
            f"--documents {recorded.documents} --seed {recorded.seed}"
        )
    rows, documents_gone = _scored(folder.answers, sha256, recorded.corpus, recorded.documents)
    state = _state(trial, source.checkpoint)
    return Measured(trial, folder, recorded, source, rows, sha256, state, documents_gone)


@functools.lru_cache(maxsize=40)
def _scored(
    answers: Path, sha256: str, corpus: Source | None, count: int
) -> tuple[tuple[ScoredAnswer, ...], bool]:
    """Rows scored again, and whether the documents are gone; kept by the file's hash."""
    rows, source = read_answers(answers), read_source(answers)
    documents = _documents(corpus, count)
    if documents is None:
        return tuple(rows), True
    return rescore(rows, documents, source.scorer), False


def _state(trial: TrialFolder, sha256: str | None) -> CheckpointState | None:
    """What the trial's checkpoint says of itself, if it holds the weights that were measured."""
    try:
        state = open_checkpoint(trial.checkpoint).state
    except CheckpointError:
        return None
    return state if state.sha256[MODEL] == sha256 else None


def evidence_of_one(measured: Measured, *, phase_ratio: float, below_budget: str) -> Evidence:
    """What a gate on a single trial looks at."""
    result = measured.result
    measures = {name: Measurement(interval) for name, interval in result.contrasts.items()}
    if kept := result.overall.retention.get("compressed"):
        measures["retention"] = Measurement(kept)
    if stale := result.overall.stale_rate.get("compressed"):
        measures["stale_rate"] = Measurement(stale)
    return _evidence([measured], measures, phase_ratio, below_budget, (measured.trial.seed,))


def evidence_of_comparison(
    runs: Mapping[int, Measured],
    reference: Mapping[int, Measured],
    *,
    phase_ratio: float,
    below_budget: str,
) -> Evidence:
    """What a gate on one recipe against another looks at; both by training seed.

    Raises:
        LatentcompError: other seeds, documents, questions or another reasoner on one side.
    """
    comparison = Comparison(
        {seed: each.rows for seed, each in runs.items()},
        {seed: each.rows for seed, each in reference.items()},
        seed=_documents_seed(runs),
    )
    both = [*runs.values(), *reference.values()]
    return _evidence(both, comparison.measures(), phase_ratio, below_budget, comparison.seeds)


def evidence_of_grid(
    full: Mapping[int, Measured],
    ablations: Mapping[str, Mapping[int, Measured]],
    *,
    phase_ratio: float,
    below_budget: str,
) -> Evidence:
    """What the gate on ablations looks at: the largest fall against the full recipe.

    Raises:
        LatentcompError: an ablation was evaluated with other seeds or on other questions.
    """
    rows = {seed: each.rows for seed, each in full.items()}
    seed = _documents_seed(full)
    drop = ablation_drop(
        rows,
        {
            name: {key: each.rows for key, each in trials.items()}
            for name, trials in ablations.items()
        },
        seed=seed,
    )
    alone = Comparison(rows, rows, seed=seed).measures()
    measures: dict[Measure, Measurement] = {**alone, "largest_ablation_drop": drop}
    every = [*full.values(), *(each for trials in ablations.values() for each in trials.values())]
    return _evidence(every, measures, phase_ratio, below_budget, tuple(sorted(full)))


def _evidence(
    measured: Sequence[Measured],
    measures: Mapping[Measure, Measurement],
    phase_ratio: float,
    below_budget: str,
    seeds: Sequence[int],
) -> Evidence:
    first, (documents, questions) = measured[0], measured[0].size
    shared = set(first.arms).intersection(*(each.arms for each in measured))
    steps = [each.state.step for each in measured if each.state is not None]
    corpus = first.recorded.corpus
    return Evidence(
        documents=documents,
        questions=questions,
        seeds=tuple(seeds),
        tokens_per_latent=min(each.tokens_per_latent for each in measured),
        measures=measures,
        arms=tuple(arm for arm in first.arms if arm in shared),
        seed=first.recorded.seed,
        corpus_sha256=corpus.sha256 if corpus else None,
        ratio=first.source.ratio,
        phase_ratio=phase_ratio,
        checkpoints={str(each.trial): each.source.checkpoint for each in measured},
        steps=min(steps, default=None),
        below_budget=below_budget,
    )


def _documents_seed(measured: Mapping[int, Measured]) -> int:
    return next(iter(measured.values())).recorded.seed


def _agree(recorded: EvaluationResult, computed: EvaluationResult) -> bool:
    """Whether the recorded figures are those of the answers, to the last digits that matter."""
    sizes = ("ratio", "tokens_per_latent", "documents")
    if any(not _close(getattr(recorded, name), getattr(computed, name)) for name in sizes):
        return False
    pairs = [
        (recorded.overall.accuracy.get(arm), interval)
        for arm, interval in computed.overall.accuracy.items()
    ]
    pairs += [
        (recorded.overall.retention.get(arm), interval)
        for arm, interval in computed.overall.retention.items()
    ]
    return all(one is not None and _close(one.point, two.point) for one, two in pairs)


def _close(one: float, two: float) -> bool:
    return isclose(one, two, abs_tol=1e-9) or isnan(two)


def _documents(source: Source | None, count: int) -> tuple[Document, ...] | None:
    """The documents again: generated from their seed, or read where they were given."""
    if source is None:
        return None
    if source.path is None and source.preset is not None and source.seed is not None:
        version = UNRECORDED if source.generator is None else source.generator
        return _generated(version, source.preset, source.seed, count, source.sha256, source.steps)
    if source.path is None:
        return None
    try:
        corpus = read_corpus(Path(source.path))
    except (CorpusError, OSError):
        return None
    if source.steps is not None and corpus.sha256 != source.sha256:
        return _by_steps(corpus.documents, source.steps, source.sha256)
    return corpus.documents if corpus.sha256 == source.sha256 else None


def _by_steps(
    documents: tuple[Document, ...], steps: int, sha256: str
) -> tuple[Document, ...] | None:
    try:
        parts = in_steps(documents, steps)
    except CorpusError:  # they are beginnings by now
        return None
    return parts if corpus_sha256(parts) == sha256 else None


@functools.lru_cache(maxsize=4)
def _generated(
    version: int, preset: str, seed: int, count: int, sha256: str, steps: int | None
) -> tuple[Document, ...] | None:
    try:
        held = held_out(None, preset, count, seed, version, steps=steps)
    except CorpusError:  # no such generator or preset, or too few documents
        return None
    return held.documents if held.source.sha256 == sha256 else None
