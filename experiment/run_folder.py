"""The one place that knows paths: what a run folder holds, and where.

    corpus/  store/  extract.json             what was read (stage 1)
    trials/<recipe>/seed-<k>/                 one training of one recipe with one seed
        trial.json  log.jsonl  checkpoint/
        evaluations/<name>/                   answers.parquet, evaluation.json; never overwritten
        utilisation/<name>/                   costs.parquet, utilisation.json; likewise
    verdicts/phase-<n>.jsonl                  every verdict on a phase, appended
    looks.jsonl                               every look at held-out documents, appended
    models.json                               by which names its models were given
    report/

Folders of versions before 0.2 keep a phase in `phases/<n>/` with one evaluation in it; they are
read as trials where they are, and never moved. Checkpoints need torch, so they are imported where
one is opened: command lines look into run folders before that.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..common import atomic
from ..common.errors import CheckpointError
from ..train.record import LATEST, TrialRecord

ANSWERS: Final = "answers.parquet"
RESULT: Final = "evaluation.json"
RANKING: Final = "ranking.parquet"
RECORDS: Final = ("trial.json", "run.json")
"""Of a trial, the newer name first."""
_SEED: Final = re.compile(r"seed-(\d+)")


@dataclass(frozen=True, slots=True)
class EvaluationFolder:
    """One evaluation of one checkpoint."""

    path: Path

    @property
    def answers(self) -> Path:
        """Every single answer."""
        return self.path / ANSWERS

    @property
    def result(self) -> Path:
        """What was evaluated, and the figures as they were then."""
        return self.path / RESULT

    @property
    def ranking(self) -> Path:
        """Every candidate with its likelihood, where they were ranked."""
        return self.path / RANKING


@dataclass(frozen=True, slots=True)
class TrialFolder:
    """One recipe trained with one seed."""

    path: Path
    recipe: str
    """Name of the recipe."""
    seed: int
    """Training seed."""
    legacy: bool = False
    """Whether a version before 0.2 made it."""
    shipped: bool = False
    """Whether its weights are those that ship with the package; the run has only evaluations."""

    def __str__(self) -> str:
        return f"{self.recipe}/{'shipped' if self.shipped else f'seed-{self.seed}'}"

    @property
    def checkpoint(self) -> Path:
        """Root of its checkpoints."""
        return self.path / "checkpoint"

    @property
    def has_checkpoint(self) -> bool:
        """Whether a checkpoint of it is there."""
        return (self.checkpoint / LATEST).is_file()

    @property
    def record(self) -> Path:
        """The trial's record, with a session a start."""
        for name in RECORDS:
            if (self.path / name).is_file():
                return self.path / name
        return self.path / RECORDS[0]

    @property
    def curve(self) -> Path:
        """Figures of every step."""
        return self.path / "log.jsonl"

    @property
    def failure(self) -> Path:
        """Why a grid could not finish it; absent where it did."""
        return self.path / "failure.json"

    def evaluations(self) -> tuple[EvaluationFolder, ...]:
        """Evaluations that are whole, the oldest first."""
        made = sorted(
            (self.path / "evaluations").glob(f"*/{RESULT}"), key=lambda p: p.stat().st_mtime_ns
        )
        own = [self.path / RESULT] if self.legacy and (self.path / RESULT).is_file() else []
        return tuple(EvaluationFolder(file.parent) for file in (*own, *made))

    def new_evaluation(self, name: str) -> EvaluationFolder:
        """A folder that is not there yet: `name`, or `name-2` where that was made before."""
        return EvaluationFolder(_unused(self.path / "evaluations" / name))

    def new_utilisation(self, name: str) -> Path:
        """The same for a measurement of CE utilisation."""
        return _unused(self.path / "utilisation" / name)

    def utilisations(self) -> tuple[Path, ...]:
        """Folders of measurements of CE utilisation that are whole, the oldest first."""
        made = (self.path / "utilisation").glob("*/utilisation.json")
        return tuple(file.parent for file in sorted(made, key=lambda p: p.stat().st_mtime_ns))

    def weights_sha256(self) -> str:
        """Of the checkpoint that lies here now.

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        from ..train import checkpoint

        return checkpoint.open_checkpoint(self.checkpoint).state.sha256[checkpoint.MODEL]

    def put_aside(self) -> None:
        """Make room for a new training, and lose nothing: the old one is renamed.

        Raises:
            LatentcompError: the folder cannot be written.
        """
        if not self.path.exists():
            return
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.replaced-{number}")).exists():
            number += 1
        with atomic.disk_errors(self.path):
            self.path.rename(aside)


def _unused(path: Path) -> Path:
    name, number = path.name, 1
    while path.exists():
        number += 1
        path = path.with_name(f"{name}-{number}")
    return path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run: one corpus, one store, many trials."""

    path: Path

    @property
    def corpus(self) -> Path:
        """Documents and questions."""
        return self.path / "corpus"

    @property
    def store(self) -> Path:
        """The teacher's states."""
        return self.path / "store"

    @property
    def report(self) -> Path:
        """HTML and Markdown."""
        return self.path / "report"

    @property
    def looks(self) -> Path:
        """One line a look at held-out documents."""
        return self.path / "looks.jsonl"

    @property
    def identity(self) -> Path:
        """Random name of this run, which a copy of the folder keeps."""
        return self.path / "run-id.json"

    @property
    def models(self) -> Path:
        """By which name each model was given: weights' hash -> name."""
        return self.path / "models.json"

    def verdicts(self, phase: int) -> Path:
        """One line a verdict on a phase."""
        return self.path / "verdicts" / f"phase-{phase}.jsonl"

    def legacy_verdicts(self, phase: int) -> Path:
        """The same in a run folder of a version before 0.2."""
        return self.path / "phases" / str(phase) / "verdicts.jsonl"

    def trial(self, recipe: str, seed: int) -> TrialFolder:
        """Where a trial is, or is to be."""
        own = TrialFolder(self.path / "trials" / recipe / f"seed-{seed}", recipe, seed)
        if own.path.exists():
            return own
        older = [each for each in self._legacy() if (each.recipe, each.seed) == (recipe, seed)]
        return older[0] if older else own

    def shipped(self, recipe: str) -> TrialFolder:
        """Where evaluations of the shipped weights of a recipe are kept."""
        return TrialFolder(self.path / "trials" / recipe / "shipped", recipe, 0, shipped=True)

    def every(self) -> tuple[TrialFolder, ...]:
        """Trials that were begun, and shipped weights that were evaluated here."""
        roots = sorted((self.path / "trials").glob("*/shipped"))
        return (*self.trials(), *(self.shipped(path.parent.name) for path in roots))

    def trials(self, recipe: str | None = None) -> tuple[TrialFolder, ...]:
        """Trials that were begun, by recipe and seed; those of one recipe where it is named."""
        every = [*self._legacy(), *self._own()]
        unique = {(each.recipe, each.seed): each for each in every}
        return tuple(unique[key] for key in sorted(unique) if recipe is None or key[0] == recipe)

    def checkpoints(self) -> tuple[Path, ...]:
        """Roots of the checkpoints of all trials, and of those that were put aside."""
        aside = [
            *(self.path / "trials").glob("*/seed-*.replaced-*"),
            *(self.path / "phases").glob("*.replaced-*"),
        ]
        roots = [trial.checkpoint for trial in self.trials()]
        roots += [path / "checkpoint" for path in sorted(aside)]
        return tuple(root for root in roots if (root / LATEST).is_file())

    def _own(self) -> Iterator[TrialFolder]:
        for path in (self.path / "trials").glob("*/seed-*"):
            if (match := _SEED.fullmatch(path.name)) and path.is_dir():
                yield TrialFolder(path, path.parent.name, int(match[1]))

    def _legacy(self) -> Iterator[TrialFolder]:
        for path in (self.path / "phases").glob("*"):
            if path.name.isdecimal() and path.is_dir():
                seed = _legacy_seed(path)
                yield TrialFolder(path, f"phase-{path.name}", seed, legacy=True)


def read_trial_record(trial: TrialFolder) -> TrialRecord:
    """What a trial says of itself: its checkpoint's record, which its weights' hash lies beside.

    Raises:
        CheckpointError: it has no checkpoint, or one that does not say.
    """
    from ..train import checkpoint

    return checkpoint.open_checkpoint(trial.checkpoint).state.known_trial


def _legacy_seed(path: Path) -> int:
    """Training seed of a phase of a version before 0.2; 0, its default, where it does not say."""
    try:
        record = json.loads((path / "run.json").read_bytes())
        return int(record["plan"]["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        return _seed_of_checkpoint(path / "checkpoint")


def _seed_of_checkpoint(root: Path) -> int:
    from ..train import checkpoint

    try:
        trial = checkpoint.read_state(root).trial
    except CheckpointError:
        return 0
    return trial.seed if trial is not None else 0
