"""Two runs side by side in one page without network: `latentcomp report --compare RUN RUN`."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from ..common import atomic
from ..common.errors import LatentcompError
from ..evaluate.difference import in_words
from ..evaluate.side_by_side import Row, rows_of, same_questions
from ..experiment.evidence import Measured, load_evaluation
from ..experiment.phases import PHASES, Phase
from ..experiment.run_folder import RunFolder
from .collect import PhaseStory, collect, lead_of
from .pages import environment


@dataclass(frozen=True, slots=True)
class Side:
    """What one run has of a phase."""

    story: PhaseStory
    measured: Measured

    @property
    def name(self) -> str:
        """`phase-2/seed-1`."""
        return str(self.measured.trial)


@dataclass(frozen=True, slots=True)
class Pair:
    """One phase of both runs."""

    phase: Phase
    first: Side
    second: Side
    unpaired: str
    """Why differences cannot be paired; empty where they are."""
    differs: tuple[tuple[str, str, str], ...]
    """What is not alike: name, of the first, of the second."""
    rows: tuple[Row, ...]


def write_comparison(first: Path, second: Path, page: Path | None = None) -> Path:
    """Write one page on two runs.

    Args:
        first: a run folder.
        second: another one.
        page: the file; `report/compare.html` of the first run when None.

    Returns:
        The path of the page.

    Raises:
        LatentcompError: there is nothing to compare, a file is damaged, or the page can't be
            written.
    """
    if first.resolve() == second.resolve():
        raise LatentcompError(f"{second}: both runs are the same folder; name two different ones")
    stories = [{story.number: story for story in collect(run)} for run in (first, second)]
    pairs, alone = [], []
    for phase in PHASES:
        sides = [
            _measured(run, phase, known[phase.number]) if phase.number in known else []
            for run, known in zip((first, second), stories, strict=True)
        ]
        if all(sides):
            one, two = (known[phase.number] for known in stories)
            pairs.append(_pair(phase, one, two, sides[0], sides[1]))
        elif any(sides):
            alone.append((phase, first if sides[0] else second))
    if not pairs:
        raise LatentcompError(
            f"{first} and {second}: no phase was evaluated in both; evaluate the same phase in "
            "both with `latentcomp evaluate --phase N --documents D --seed S --run RUN`"
        )
    page = page or first / "report" / "compare.html"
    html = (
        environment(escape=True)
        .get_template("compare.html.j2")
        .render(
            first=first, second=second, pairs=pairs, alone=alone, most_families=0, in_words=in_words
        )
    )
    atomic.write_text(page, html)
    return page


def _measured(path: Path, phase: Phase, story: PhaseStory) -> list[Measured]:
    """Evaluations of a phase's own recipe, the one that the report leads with last."""
    if phase.grid:
        return []
    run = RunFolder(path)
    trials = [trial for trial in run.every() if trial.recipe == phase.recipe.name]
    every = [load_evaluation(trial, each) for trial in trials for each in trial.evaluations()]
    lead = lead_of(run, phase, every, story.verdict)
    return [*(each for each in every if each is not lead), *([lead] if lead else [])]


def _pair(
    phase: Phase,
    one: PhaseStory,
    two: PhaseStory,
    first: list[Measured],
    second: list[Measured],
) -> Pair:
    """The leading evaluations; where they cannot be paired, the newest two that can."""
    candidates = [(a, b) for a, b in product(reversed(first), reversed(second))]
    mine, theirs = next((pair for pair in candidates if not _unpaired(*pair)), candidates[0])
    return Pair(
        phase,
        Side(one, mine),
        Side(two, theirs),
        _unpaired(mine, theirs),
        tuple(_differences(mine, theirs)),
        rows_of(mine.rows, theirs.rows, seed=mine.recorded.seed),
    )


def _unpaired(mine: Measured, theirs: Measured) -> str:
    if mine.source.corpus != theirs.source.corpus:
        return "they were asked about other documents"
    return same_questions(mine.rows, theirs.rows)


def _differences(mine: Measured, theirs: Measured) -> list[tuple[str, str, str]]:
    """Everything recorded in which two evaluations are not alike, recipe fields included."""
    facts = [_facts(each) for each in (mine, theirs)]
    names = dict.fromkeys([*facts[0], *facts[1]])
    pairs = [(name, facts[0].get(name, "–"), facts[1].get(name, "–")) for name in names]
    return [(name, here, there) for name, here, there in pairs if here != there]


def _facts(measured: Measured) -> dict[str, str]:
    recorded, source = measured.recorded, measured.source
    facts = {
        "documents": str(recorded.documents),
        "seed of the documents": str(recorded.seed),
        "hash of the documents": (source.corpus or "")[:12],
        "ratio": f"{source.ratio:g}",
        "scorer": source.scorer,
        "reasoner": source.reasoner[:12],
        "precision": recorded.dtype or "float32",
        "checkpoint": (source.checkpoint or "")[:12],
        "training seeds": ", ".join(map(str, recorded.training_seeds)),
        "steps": str(recorded.steps),
    }
    if measured.state is not None and measured.state.trial is not None:
        from ..train.recipe import flat

        facts["teacher"] = measured.state.spec.teacher.weights_sha256[:12]
        facts |= {f"recipe: {k}": str(v) for k, v in flat(measured.state.trial.recipe).items()}
    return facts
