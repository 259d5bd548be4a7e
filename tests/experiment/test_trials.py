"""`train_trial`: the order of phases, what a trial starts from, what it refuses, a live source."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from latentcomp.commands import trials
from latentcomp.commands.batches import BatchSettings
from latentcomp.commands.shipping import ship_checkpoint
from latentcomp.commands.trials import TrialRequest, build, train_trial
from latentcomp.common.errors import (
    CheckpointError,
    LatentcompError,
    PhaseError,
    RecipeError,
    StoreError,
    UsageError,
)
from latentcomp.corpus.files import write_corpus
from latentcomp.corpus.generators import LAB_GENERATOR
from latentcomp.experiment import published
from latentcomp.experiment import shipped as package
from latentcomp.experiment.catalogue import recipe_named
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.verdict import Verdict
from latentcomp.models.files import identify_model, locate_model
from latentcomp.models.loading import load_causal_lm
from latentcomp.store.read.reader import FeatureStore
from latentcomp.train import checkpoint, loop
from latentcomp.train.recipe import parse_set
from latentcomp.train.record import Start

from ..train import tiny

LAYERS = (-6, -18, -30)
"""Of 32 blocks: after 27, 15 and 3, which is what the store has."""
SHORT = {
    "budget.steps": 1,
    "data.batch_size": 1,
    "data.question_tokens": 96,
    "optimiser.lr": 1e-3,
    "optimiser.warmup_steps": 1,
}


@pytest.fixture
def request_of(run, deep):
    """A function that makes a request; `changes` are of the recipe, the rest of the request."""

    def make(number=1, changes=None, **others):
        given: dict[str, Any] = {"reasoner": str(deep), "device": "cpu", "save_every": 1}
        recipe = others.pop("recipe", None) or phase(number).recipe
        return TrialRequest(run, recipe, SHORT | (changes or {}), **(given | others))

    return make


@pytest.fixture
def judged(run, tmp_path, monkeypatch):
    """A function that publishes verdicts on the teacher of the store."""
    file = tmp_path / "verdicts.jsonl"
    monkeypatch.setattr(published, "PUBLISHED", file)
    sha256 = FeatureStore(run / "store").manifest.teacher.weights_sha256

    def judge(*numbers, teacher=sha256, **changes):
        made = [verdict(number, teacher_sha256=teacher, **changes) for number in numbers]
        with file.open("a") as lines:
            lines.writelines(one.model_dump_json() + "\n" for one in made)

    return judge


def verdict(number, status="passed", **changes):
    return Verdict(
        phase=number,
        status=status,
        n=2000,
        documents=200,
        seeds=(0,),
        interval=None,
        threshold=0.1,
        reason="as measured",
        criteria=(),
        **changes,
    )


def error_of(request, kind=LatentcompError):
    with pytest.raises(kind) as caught:
        train_trial(request)
    text = str(caught.value)
    assert "\n" not in text
    return text


def record(run, name="phase-1", seed=0):
    return json.loads((run / "trials" / name / f"seed-{seed}" / "trial.json").read_text())


def weights_of(trial):
    return checkpoint.open_checkpoint(trial.checkpoint).state.sha256[checkpoint.MODEL]


def test_the_first_phase_may_begin_and_its_record_says_what_it_is(request_of, run):
    trial = train_trial(request_of(seed=3))
    assert trial.path == run / "trials" / "phase-1" / "seed-3"
    assert trial.record == trial.path / "trial.json"
    written = record(run, seed=3)
    assert written["recipe"]["name"] == "phase-1" and written["seed"] == 3
    assert written["overrides"] == SHORT
    assert written["skipped"] == []
    assert (written["start"]["origin"], written["start"]["seed"]) == ("fresh", 3)
    assert written["provenance"]["seeds"] == {"train": 3}
    state = checkpoint.open_checkpoint(trial.checkpoint).state
    assert (state.step, state.finished) == (1, True)
    kept = state.known_trial.model_dump(mode="json")
    assert {key: written[key] for key in kept} == kept
    assert state.spec.teacher == FeatureStore(run / "store").manifest.teacher
    assert [layer.blocks_completed for layer in state.spec.layers] == [3]


def test_a_run_has_its_name_when_its_first_trial_begins(request_of, run):
    """A copy of it that is looked at before the run is has that name too."""
    assert not RunFolder(run).identity.exists()
    train_trial(request_of())
    name = RunFolder(run).identity.read_bytes()
    train_trial(request_of(seed=1))
    assert RunFolder(run).identity.read_bytes() == name


def test_a_grid_is_not_trained_and_says_so_before_its_turn(request_of, run):
    """Not after days of training the phases before it."""
    assert "latentcomp ablations" in error_of(request_of(7))
    assert not (run / "trials").exists()


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6, 8])
def test_a_phase_out_of_turn_names_the_ladder_to_the_phase_before(request_of, run, number):
    text = error_of(request_of(number), PhaseError)
    first = 1 if number == 8 else number - 1
    command = f"latentcomp ladder --through {first} --run {run} --teacher FOLDER/tiny-32"
    assert f"`{command}`" in text
    assert "--skip-order" in text
    assert not (run / "trials").exists(), "nothing is begun"


def test_an_ablation_waits_for_the_phase_of_the_grid(request_of, judged):
    request = request_of(recipe=recipe_named("ablation-no-time"))
    assert "phase 7 needs a verdict on phase 6" in error_of(request, PhaseError)
    judged(*range(1, 7))
    assert train_trial(request).recipe == "ablation-no-time"


def test_a_phase_that_lacks_something_says_so(request_of, monkeypatch):
    lacking = replace(phase(6), lacks="a part that is not there")
    monkeypatch.setattr(trials, "phase", lambda number: lacking)
    for skip in (False, True):
        error = error_of(request_of(6, skip_order=skip), PhaseError)
        assert "cannot run yet: it needs a part that is not there" in error


def test_phase_6_trains_a_memory_that_grows_in_its_turn(request_of, run, judged):
    judged(*range(1, 6))
    trial = train_trial(request_of(6))
    state = checkpoint.open_checkpoint(trial.checkpoint).state
    assert state.spec.config.memory == "append" and record(run, "phase-6")["skipped"] == []


def test_published_verdicts_on_this_teacher_let_a_phase_begin(request_of, run, judged, capsys):
    judged(1, 2, 3, made="2025-11-28T12:00:00+00:00")
    train_trial(request_of(4))
    assert record(run, "phase-4")["skipped"] == []
    lines = [line for line in capsys.readouterr().err.splitlines() if "published verdict" in line]
    assert [line[: len("phase 1: passed")] for line in lines] == [
        f"phase {number}: passed" for number in (1, 2, 3)
    ]
    assert all("2025-11-28T12:00:00+00:00" in line for line in lines)


@pytest.mark.parametrize(
    "other",
    [{"teacher": "0" * 64}, {"teacher": None}, {"thin": True}, {"counts": False, "thin": 1}],
)
def test_published_verdicts_of_another_teacher_or_thin_ones_open_nothing(request_of, judged, other):
    judged(1, 2, 3, **other)
    assert "`latentcomp ladder --through 3 --run" in error_of(request_of(4), PhaseError)


def test_a_live_trial_is_bound_to_the_verdicts_on_the_model_that_reads(request_of, judged):
    """Not to those on the lab teacher, where the reasoner is the teacher too."""
    judged(1, 2, 3, teacher=identify_model(locate_model("lab")).weights_sha256)
    assert "`latentcomp ladder --through 3 --run" in error_of(
        request_of(4, {"data.source": "live"}), PhaseError
    )
    judged(1, 2, 3)
    build(request_of(4, {"data.source": "live"})).batches.close()


def test_skipping_the_order_is_recorded(request_of, run, judged):
    judged(1)
    trial = train_trial(request_of(4, skip_order=True))
    assert record(run, "phase-4")["skipped"] == [2, 3]
    state = checkpoint.open_checkpoint(trial.checkpoint).state
    assert state.known_trial.skipped == (2, 3)


def test_a_store_of_another_teacher(request_of, teacher_of_4_blocks):
    text = error_of(request_of(reasoner=str(teacher_of_4_blocks)), StoreError)
    assert "'tiny-32'" in text
    assert "'tiny-4'" in text
    assert "--reasoner" in text


@pytest.fixture
def teacher_of_4_blocks(tmp_path):
    return tiny.save_model(tmp_path / "tiny-4", blocks=4)


def test_a_store_of_another_corpus(request_of, run):
    write_corpus(run / "corpus", tiny.documents(3), {})
    assert "another corpus" in error_of(request_of(), StoreError)


@pytest.mark.parametrize("missing", ["store", "corpus"])
def test_a_run_without_its_store_or_corpus(request_of, run, missing):
    shutil.rmtree(run / missing)
    assert missing in error_of(request_of())
    assert not (run / "trials").exists()


def test_a_layer_that_the_store_lacks(request_of):
    text = error_of(request_of(changes={"layers": (-2,)}), StoreError)
    assert "after 31 blocks" in text and "--layers" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.kind": "transformer"}, "transformer"),
        ({"objectives.wishing": 1.0}, "objectives.wishing"),
        ({"model.kind": "mean_pool", "model.time": True}, "mean_pool"),
    ],
)
def test_a_recipe_that_cannot_be_built_is_one_line_and_begins_nothing(
    request_of, run, changes, words
):
    assert words in error_of(request_of(changes=changes), RecipeError)
    assert not (run / "trials").exists()


class Stop(Exception):
    """Ends a session as a kill does."""


def stopping(after, steps):
    """Records every step, and ends the session after one of them."""

    def on_step(figures):
        steps.append(figures["step"])
        if figures["step"] == after:
            raise Stop

    return on_step


def test_it_goes_on_from_its_last_checkpoint_and_refuses_another_recipe(request_of):
    steps: list[float] = []
    twice = {"budget.steps": 2}
    with pytest.raises(Stop):
        train_trial(request_of(changes=twice), stopping(2, steps))
    train_trial(request_of(changes=twice), stopping(None, steps))
    assert steps == [1, 2, 2]
    train_trial(request_of(changes=twice), stopping(None, steps))
    assert steps == [1, 2, 2], "there is nothing left to do"
    text = error_of(request_of(changes=twice | {"optimiser.lr": 0.5}), CheckpointError)
    assert "recipe.optimiser.lr was 0.001, now 0.5" in text and "--restart" in text


def test_another_seed_or_name_is_another_trial(request_of, run):
    first = train_trial(request_of())
    others = [train_trial(request_of(seed=1)), train_trial(request_of(name="no-mix"))]
    assert [str(other) for other in others] == ["phase-1/seed-1", "no-mix/seed-0"]
    assert weights_of(others[0]) != weights_of(first) == weights_of(others[1])
    assert len(RunFolder(run).trials()) == 3


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_restart_puts_the_earlier_trial_aside_and_loses_nothing(request_of, run):
    trial = train_trial(request_of())
    (trial.path / "evaluations" / "one").mkdir(parents=True)
    (trial.path / "evaluations" / "one" / "evaluation.json").write_text("{}")
    kept = [files_of(trial.path)]
    train_trial(request_of(changes={"optimiser.lr": 0.5}, restart=True))
    assert record(run)["recipe"]["optimiser"]["lr"] == 0.5
    kept.append(files_of(trial.path))
    assert not (trial.path / "evaluations").exists()
    train_trial(request_of(restart=True))
    for number, files in enumerate(kept, start=1):
        aside = trial.path.with_name(f"seed-0.replaced-{number}")
        assert files_of(aside) == files
    assert [str(each) for each in RunFolder(run).trials()] == ["phase-1/seed-0"]
    assert [session["first_step"] for session in record(run)["sessions"]] == [1]


@pytest.fixture
def shipped(extracted, deep, tmp_path, monkeypatch):
    """A shipped checkpoint of phase 1, as a longer trial elsewhere would have left it."""
    home = tmp_path / "shipped"
    monkeypatch.setattr(trials, "SHIPPED", home)
    monkeypatch.setattr(package, "SHIPPED", home)
    elsewhere = shutil.copytree(extracted, tmp_path / "elsewhere")
    changes = SHORT | {"budget.steps": 3, "optimiser.lr": 0.01}
    train_trial(TrialRequest(elsewhere, phase(1).recipe, changes, reasoner=str(deep), device="cpu"))
    return ship_checkpoint(elsewhere, "phase-1", 0).parent


@pytest.fixture
def first_weights():
    """A function: the weights that a trial begins with, and what it says of where they are from."""

    def begin(request):
        made = build(request)
        made.batches.close()
        return made.model.state_dict(), made.record.start

    return begin


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_what_a_trial_may_start_from(request_of, shipped, first_weights):
    wanted = checkpoint.open_checkpoint(shipped).model().state_dict()
    fresh, start = first_weights(request_of(start="fresh"))
    assert (start.origin, start.seed) == ("fresh", 0)
    assert not equal(fresh, wanted)
    for name in ("auto", "shipped", str(shipped)):
        weights, start = first_weights(request_of(start=name))
        assert equal(weights, wanted)
        assert (start.origin, start.steps) == ("shipped", 3)
        assert start.history.recipe.optimiser.lr == 0.01
    copied = shutil.copytree(shipped, shipped.parent / "mine")
    weights, start = first_weights(request_of(start=str(copied)))
    assert equal(weights, wanted)
    assert start.origin == "checkpoint"


def test_what_is_shipped_has_no_optimiser(shipped):
    (folder,) = shipped.glob("step-*")
    assert sorted(path.name for path in folder.iterdir()) == ["model.safetensors", "state.json"]


def test_the_seed_decides_fresh_weights(request_of, first_weights):
    weights = [first_weights(request_of(seed=seed))[0] for seed in (0, 0, 1)]
    assert equal(weights[0], weights[1])
    assert not equal(weights[0], weights[2])


def test_a_start_that_does_not_fit(request_of, shipped, first_weights):
    wider = request_of(changes={"layers": LAYERS}, start="shipped")
    assert "--start fresh" in error_of(wider, CheckpointError)
    assert "--start fresh" in error_of(replace(wider, start=str(shipped)), CheckpointError)
    _, start = first_weights(replace(wider, start="auto"))
    assert start.origin == "fresh"


def test_a_start_takes_what_fits_where_it_does_not_have_to_be_strict(
    request_of, shipped, first_weights
):
    """What is said of a misfit, done; the record says what differed and what is fresh."""
    changes = {"layers": LAYERS, "model.time": True}
    wider = request_of(changes=changes, start=str(shipped))
    assert "--no-strict" in error_of(wider, CheckpointError)
    weights, start = first_weights(replace(wider, strict=False))
    wanted = checkpoint.open_checkpoint(shipped).model().state_dict()
    fresh = {k for k, v in weights.items() if k not in wanted or wanted[k].shape != v.shape}
    assert set(start.fresh) == fresh and 0 < len(fresh) < len(weights)
    assert all(torch.equal(weights[k], wanted[k]) for k in weights.keys() - fresh)
    assert start.differs["config.time"] == [False, True] and "layers" in start.differs
    assert Start.model_validate(json.loads(start.model_dump_json())) == start
    plain = first_weights(request_of(start="shipped"))[1]
    assert not {"differs", "fresh"} & plain.model_dump().keys(), "as records before had it"


def test_a_start_of_which_nothing_fits_is_refused(request_of, shipped):
    narrow = request_of(
        changes={"model.kind": "mean_pool", "model.allocation": "equal"}, start=str(shipped)
    )
    narrow = replace(narrow, strict=False)
    assert "no tensor of its compressor" in error_of(narrow, CheckpointError)


def test_a_start_with_other_settings_names_those_that_fit(request_of, shipped, first_weights):
    """They are those of the checkpoint, and with them it goes on from there."""
    timed = request_of(changes={"model.time": True}, start="shipped")
    message = error_of(timed, CheckpointError)
    assert "--set model.time=false`, or --start fresh" in message
    given = {**timed.changes, **parse_set(["model.time=false"])}
    assert first_weights(replace(timed, changes=given))[1].origin == "shipped"


def test_a_start_fits_whatever_machine_measured_the_embeddings(request_of, shipped, first_weights):
    """The mean over a table depends on the order of its sum, which a GPU has its own of."""
    opened = checkpoint.open_checkpoint(shipped)
    model = opened.model()
    model.spec = model.spec.model_copy(
        update={"embedding_rms": model.spec.embedding_rms * (1 + 1e-7)}
    )
    checkpoint.save_checkpoint(shipped, 3, model, [], opened.state.trial)
    assert first_weights(request_of(start="auto"))[1].origin == "shipped"


@pytest.mark.parametrize("start", ["shipped", "/nowhere/at/all"])
def test_a_start_that_is_not_there(request_of, start, tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "SHIPPED", tmp_path)
    monkeypatch.setattr(package, "SHIPPED", tmp_path)
    assert "no checkpoint here" in error_of(request_of(start=start), CheckpointError)


@pytest.mark.parametrize(("number", "version"), [(1, LAB_GENERATOR), (5, LAB_GENERATOR), (4, 4)])
def test_a_live_source_trains_without_a_store(request_of, run, number, version, monkeypatch):
    monkeypatch.setattr(trials, "generator_for", lambda name: version)
    shutil.rmtree(run / "store")
    figures: list[dict[str, float]] = []
    live = {"data.source": "live", "data.question_tokens": 64}
    train_trial(request_of(number, live, skip_order=True), figures.append)
    assert [line["step"] for line in figures] == [1]
    assert torch.isfinite(torch.tensor(figures[0]["loss"]))
    assert figures[0]["gradient"] > 0
    data = record(run, f"phase-{number}")["data"]
    assert (data["kind"], data["generator"]) == ("live", version)


@pytest.mark.parametrize("source", ["store", "live"])
def test_a_restart_may_start_from_what_it_puts_aside(request_of, run, source):
    trial = train_trial(request_of())
    weights, steps = weights_of(trial), list[float]()
    changes = {"data.source": source, "data.question_tokens": 64}
    made = request_of(changes=changes, start=str(trial.checkpoint), restart=True)
    train_trial(made, stopping(None, steps))
    assert steps == [1]
    assert record(run)["start"]["sha256"] == weights


def test_a_restart_that_cannot_begin_puts_nothing_aside(request_of, run):
    trial = train_trial(request_of())
    (run / "store").rename(run / "elsewhere")
    error_of(request_of(restart=True), StoreError)
    assert checkpoint.open_checkpoint(trial.checkpoint).state.step == 1
    assert not list(trial.path.parent.glob("*.replaced-*"))


@pytest.mark.slow
def test_where_batches_come_from_decides_nothing(request_of):
    """States on the device, read as they are needed, or by worker processes: the same weights."""
    settings = (BatchSettings(), BatchSettings(resident=True), BatchSettings(workers=1))
    hashes = {weights_of(train_trial(request_of(batches=each, restart=True))) for each in settings}
    assert len(hashes) == 1


def test_live_and_resident_exclude_each_other(request_of):
    request = request_of(changes={"data.source": "live"}, batches=BatchSettings(resident=True))
    assert "exclude each other" in error_of(request, UsageError)


def sessions(run):
    return [session["first_step"] for session in record(run)["sessions"]]


def test_a_refused_trial_leaves_the_record_of_the_one_that_is_there(request_of, run):
    trial = train_trial(request_of())
    before = trial.record.read_bytes()
    error_of(request_of(changes={"optimiser.lr": 0.5}), CheckpointError)
    train_trial(request_of())  # nothing left to do
    assert trial.record.read_bytes() == before
    assert sessions(run) == [1]


def test_every_session_that_trained_is_recorded(request_of, run):
    thrice = {"budget.steps": 3}
    with pytest.raises(Stop):
        train_trial(request_of(changes=thrice), stopping(2, []))
    trial = train_trial(request_of(changes=thrice))
    assert sessions(run) == [1, 2], "the second step was not saved, and was done again"
    assert checkpoint.open_checkpoint(trial.checkpoint).state.finished


def test_what_the_ancestor_skipped_stays_skipped(request_of, run, judged, tmp_path):
    trial = train_trial(request_of(4, skip_order=True))
    kept = shutil.copytree(trial.checkpoint, tmp_path / "kept")
    judged(1, 2, 3)
    train_trial(request_of(4, start=str(kept), restart=True))
    assert record(run, "phase-4")["skipped"] == [1, 2, 3]


@pytest.mark.slow
def test_a_verdict_that_came_since_does_not_make_it_another_trial(request_of, run, judged):
    """Nor does it undo what its first session began without."""
    twice = {"budget.steps": 2}
    with pytest.raises(Stop):
        train_trial(request_of(2, twice, skip_order=True), stopping(2, []))
    judged(1)
    train_trial(request_of(2, twice))
    assert len(record(run, "phase-2")["sessions"]) == 2
    assert record(run, "phase-2")["skipped"] == [1]


def test_a_budget_of_seconds_is_spent_once(request_of):
    """The same command again finds it used up; a part of it that is left is all there is."""
    changes = {"budget.steps": None, "budget.seconds": 1.5}
    seconds: list[float] = []
    request = request_of(changes=changes, save_every=1000)
    trial = train_trial(request, lambda figures: seconds.append(figures["seconds"]))
    train_trial(request, lambda figures: seconds.append(-1.0))
    assert seconds and -1.0 not in seconds
    state = checkpoint.open_checkpoint(trial.checkpoint).state
    assert state.finished and state.seconds >= seconds[-1] >= 1.0


def test_a_budget_whose_last_step_ended_before_the_clock_did_is_used_up(request_of, monkeypatch):
    """The clock also counts what comes before the first step."""
    changes = {"budget.steps": None, "budget.seconds": 1000.0}
    steps: list[float] = []
    request = request_of(changes=changes, save_every=1000)
    with monkeypatch.context() as patch:
        two = SimpleNamespace(progress=lambda step: step / 2)
        patch.setattr(loop, "clock_of", lambda budget, accelerator, spent: two)
        trial = train_trial(request, lambda figures: steps.append(figures["step"]))
    state = checkpoint.open_checkpoint(trial.checkpoint).state
    assert steps == [1, 2] and state.finished and state.seconds == 1000.0
    train_trial(request, lambda figures: steps.append(figures["step"]))
    assert steps == [1, 2], "not a step more"


def test_another_number_of_processes_or_another_store_is_another_trial(run, deep):
    model = load_causal_lm(str(deep))
    alone = tiny.store_batches(run, model).describe()
    shared = tiny.store_batches(run, model, rank=0, world=2).describe()
    assert {key for key in alone if alone[key] != shared[key]} == {"world"}
    assert {"dtype", "codec", "corpus_sha256"} <= alone.keys()
