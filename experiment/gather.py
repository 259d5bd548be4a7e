"""Select the evaluations that a verdict rests on: one a trial, on the same held-out documents.

Trials are comparable where documents, reasoner, ratio, data, optimiser and budget agree; where one
differs, the field is named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..common.errors import PhaseError
from ..evaluate.scores import EXACT
from ..reasoner.generate import MOST_TOKENS
from ..train.checkpoint import CheckpointState, exists, read_state
from ..train.recipe import Recipe
from . import ablations
from .eligibility import is_finished, not_exact, other_than, why_unjudged
from .evidence import Measured, load_evaluation
from .lineage import Lineage
from .phases import Phase, phase
from .run_folder import EvaluationFolder, RunFolder, TrialFolder
from .suggest import ablations_command, evaluate_command, train_command

Trials = Mapping[int, Measured]
"""By training seed."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a verdict rests on."""

    run: RunFolder
    trials: Trials
    """Of the phase; of the full recipe where the phase is a grid."""
    reference: Trials = field(default_factory=dict)
    """Of the phase that it is compared with."""
    grid: Mapping[str, Trials] = field(default_factory=dict)
    """Of the ablations, by name."""
    catalogue: tuple[Recipe, ...] = ()
    """The recipe that each of `everything` was to follow, at the default size."""

    def everything(self) -> tuple[Measured, ...]:
        """Every evaluation, those of the phase first."""
        sides = (self.trials, self.reference, *self.grid.values())
        return tuple(each for side in sides for each in side.values())

    @staticmethod
    def state(measured: Measured) -> CheckpointState:
        """Of the weights that were measured; `gather` takes no evaluation without."""
        assert measured.state is not None
        return measured.state


def gather(run: RunFolder, judged: Phase, seed: int | None) -> Gathered:
    """The evaluations that a verdict on a phase rests on.

    Args:
        run: the run folder.
        judged: the phase.
        seed: of the held-out documents; those of the phase's newest evaluation when None.

    Raises:
        PhaseError: an evaluation is missing, or two may not be compared.
    """
    full, recipes = _recipes(judged)
    lead = _newest(run, judged, [full.name, *(each.name for each in recipes.values())], seed)
    every = {full.name: _trials(run, full, lead)}
    every |= {recipe.name: _trials(run, recipe, lead) for recipe in recipes.values()}
    for recipe in (full, *recipes.values()):
        _check_every_seed(run, recipe, every[recipe.name], lead)
    return _assembled(run, judged, every, lead)


def regather(run: RunFolder, judged: Phase, evaluations: Iterable[str]) -> Gathered:
    """The very evaluations that a verdict names, whatever was evaluated since.

    Args:
        run: the run folder.
        judged: the phase.
        evaluations: their folders, relative to the run's.

    Raises:
        PhaseError: one is gone, or may not be judged or compared any more.
    """
    full, recipes = _recipes(judged)
    named = {recipe.name: recipe for recipe in (full, *recipes.values())}
    homes = {each.path: trial for trial in run.trials() for each in trial.evaluations()}
    every: dict[str, dict[int, Measured]] = {}
    for name in evaluations:
        trial = homes.get(run.path / name)
        if trial is None or trial.recipe not in named:
            raise PhaseError(f"{run.path / name}: the evaluation is gone; evaluate and judge again")
        measured = load_evaluation(trial, EvaluationFolder(run.path / name))
        if reason := eligible(run, measured, named[trial.recipe], judged.steps):
            raise PhaseError(f"{run.path / name}: {reason}")
        every.setdefault(trial.recipe, {})[trial.seed] = measured
    lead = next(iter(next(iter(every.values())).values()))
    return _assembled(run, judged, every, lead)


def _recipes(judged: Phase) -> tuple[Recipe, dict[str, Recipe]]:
    """The recipe of the phase (the full one of a grid), and by name those beside it."""
    if judged.grid:
        assert judged.reference is not None
        rows = {name: ablations.ablated(name) for name in ablations.ABLATIONS}
        return phase(judged.reference).recipe, rows
    if judged.reference is None:
        return judged.recipe, {}
    reference = phase(judged.reference).recipe
    return judged.recipe, {reference.name: reference}


def _assembled(
    run: RunFolder, judged: Phase, every: Mapping[str, Trials], lead: Measured
) -> Gathered:
    """Trials of a phase and those beside them, refused where they may not be compared."""
    full, recipes = _recipes(judged)
    trials = every.get(full.name, {})
    sides = {name: every[each.name] for name, each in recipes.items() if every.get(each.name)}
    if recipes:
        _same_seeds(run, judged, trials, sides or dict.fromkeys(recipes, {}), lead)
        catalogue = [full] * len(trials)
        for name, side in sides.items():
            catalogue += [recipes[name]] * len(side)
        if judged.grid:
            gathered = Gathered(run, trials, grid=sides, catalogue=tuple(catalogue))
        else:
            (reference,) = sides.values()
            gathered = Gathered(run, trials, reference=reference, catalogue=tuple(catalogue))
    else:
        first = min(trials)  # a claim about one named checkpoint: that of the lowest seed
        gathered = Gathered(run, {first: trials[first]}, catalogue=(full,))
    _check_comparable(gathered.everything())
    for side in (gathered.trials, gathered.reference, *gathered.grid.values()):
        _check_distinct(side)
    return gathered


def _check_every_seed(run: RunFolder, recipe: Recipe, side: Trials, lead: Measured) -> None:
    """Refuses a choice among training seeds: every one that was trained has to be measured."""
    for trial in run.trials(recipe.name):
        if trial.seed in side or not exists(trial.checkpoint):
            continue
        state = read_state(trial.checkpoint)
        if state.trial is None or not is_finished(state) or other_than(state.trial, recipe):
            continue
        raise PhaseError(
            f"{trial} was trained and is not measured on these documents; every training seed "
            f"counts: run `{_evaluate_again(run, recipe.name, lead)}`"
        )


def _check_distinct(side: Trials) -> None:
    """Refuses the same weights under two training seeds."""
    seen: dict[str, Measured] = {}
    for measured in side.values():
        if other := seen.get(measured.source.checkpoint):
            raise PhaseError(
                f"{measured.trial} and {other.trial} hold the same weights: one of them is a copy; "
                "train it with its own --seed"
            )
        seen[measured.source.checkpoint] = measured


def eligible(run: RunFolder, measured: Measured, recipe: Recipe, steps: int | None = None) -> str:
    """Why an evaluation may not be judged as one of a recipe, on these steps; empty if it may."""
    if measured.state is None:
        return "the trial holds other weights by now"
    if measured.documents_gone:
        return "its documents cannot be had again, so its answers cannot be scored again"
    record, spec = measured.state.known_trial, measured.state.spec
    if record.seed != measured.trial.seed:
        return f"its checkpoint was trained with the seed {record.seed}, not {measured.trial.seed}"
    if recipe.reasoner == "student" and spec.teacher.weights_sha256 == spec.reasoner.weights_sha256:
        return "its reasoner is the teacher itself, and the phase asks for a smaller model"
    if measured.source.scorer != EXACT:
        return not_exact(measured.source.scorer)
    source = measured.recorded.corpus
    doubt = "" if source is None else Lineage.of(record, run.corpus, own=True).doubt(source)
    return why_unjudged(record, recipe, source, doubt, steps)


def _newest(run: RunFolder, judged: Phase, names: list[str], seed: int | None) -> Measured:
    """The newest evaluation that decides which documents are looked at."""
    reasons: list[str] = []
    folders = [
        (folder.result.stat().st_mtime_ns, trial, folder)
        for name in names
        for trial in run.trials(name)
        for folder in trial.evaluations()
    ]
    for _, trial, folder in sorted(folders, key=lambda each: -each[0]):
        measured = load_evaluation(trial, folder)
        if seed is not None and measured.recorded.seed != seed:
            continue
        reason = eligible(run, measured, _recipe_of(judged, trial), judged.steps)
        if not reason:
            return measured
        reasons.append(f"{folder.path}: {reason}")
    where = f" on documents of seed {seed}" if seed is not None else ""
    least = judged.gate.minimum.documents
    again = evaluate_command(run, phase=judged.number, documents=least, seed=seed)
    again = f"run `{ablations_command(run) if judged.grid else again}`"
    why = f" ({reasons[0]})" if reasons else ""
    raise PhaseError(
        f"phase {judged.number} has no evaluation{where} that may be judged{why}; {again}"
    )


def _recipe_of(judged: Phase, trial: TrialFolder) -> Recipe:
    if not judged.grid:
        return judged.recipe
    name = trial.recipe.removeprefix("ablation-")
    if name in ablations.ABLATIONS:
        return ablations.ablated(name)
    assert judged.reference is not None
    return phase(judged.reference).recipe


def _trials(run: RunFolder, recipe: Recipe, lead: Measured) -> dict[int, Measured]:
    """The newest evaluation of every trial of a recipe on the documents of `lead`."""
    chosen = {}
    for trial in run.trials(recipe.name):
        for folder in reversed(trial.evaluations()):
            if (lead.trial, lead.folder) == (trial, folder):
                measured = lead
            else:
                measured = load_evaluation(trial, folder)
            same = (measured.recorded.corpus, measured.source.ratio) == (
                lead.recorded.corpus,
                lead.source.ratio,
            )
            if same and not eligible(run, measured, recipe, lead.steps):
                chosen[trial.seed] = measured
                break
    return chosen


def _same_seeds(
    run: RunFolder, judged: Phase, trials: Trials, others: Mapping[str, Trials], lead: Measured
) -> None:
    documents, like = lead.recorded.documents, Gathered.state(lead).known_trial.recipe
    for name, side in others.items():
        if lacking := sorted(trials.keys() ^ side.keys()):
            here = lacking[0] in trials
            where = name if here else next(iter(trials.values())).trial.recipe if trials else name
            raise PhaseError(
                f"phase {judged.number}: {where} has no evaluation with the training seed "
                f"{lacking[0]} on these {documents} documents; train that seed where it is missing "
                f"(`{train_command(run, where, lacking[0], like)}`), then "
                f"`{_evaluate_again(run, where, lead)}`"
            )
    if not others:
        raise PhaseError(
            f"phase {judged.number}: no ablation was evaluated on these documents; run "
            f"`{ablations_command(run)}`"
        )


def _evaluate_again(run: RunFolder, recipe: str, lead: Measured) -> str:
    """The command that measures the trials of a recipe on the documents of `lead`."""
    recorded = lead.recorded
    like = {"documents": recorded.documents, "seed": recorded.seed, "steps": lead.steps}
    return evaluate_command(run, recipe=recipe, **like)


def _check_comparable(measured: Iterable[Measured]) -> None:
    """Refuses trials that differ in anything but what is compared; names the field."""
    first, *others = measured
    for other in others:
        ours, theirs = _comparable(first), _comparable(other)
        for name, value in ours.items():
            if theirs[name] != value:
                raise PhaseError(
                    f"{other.trial} cannot be compared with {first.trial}: its {name} is "
                    f"{theirs[name]}, there {value}; train and evaluate both alike"
                )


def _comparable(measured: Measured) -> dict[str, object]:
    state, recorded = Gathered.state(measured), measured.recorded
    recipe = state.known_trial.recipe
    return {
        "documents": recorded.corpus.sha256 if recorded.corpus else None,
        "ratio": measured.source.ratio,
        "precision": recorded.dtype or "float32",
        "backend": recorded.backend,
        "answer_tokens": recorded.answer_tokens or MOST_TOKENS,
        "teacher": state.spec.teacher.weights_sha256,
        "reasoner": state.spec.reasoner.weights_sha256,
        **{f"data.{k}": v for k, v in recipe.data.model_dump().items()},
        **{f"optimiser.{k}": v for k, v in recipe.optimiser.model_dump().items()},
        **{f"budget.{k}": v for k, v in recipe.budget.model_dump().items()},
        "processes": state.known_trial.data.get("world"),
    }
