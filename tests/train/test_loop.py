"""The loop, its plan and its curve: what is learned, what is logged, what a bad batch does."""

import itertools
import json
import math
import time
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.common.errors import RecipeError, TrainingError
from latentcomp.compressor.model import compress
from latentcomp.experiment.phases import phase
from latentcomp.train import checkpoint, clock, loop
from latentcomp.train.clock import BROADCAST_EVERY, StepClock, WallClock, clock_of
from latentcomp.train.log import CurveLog, read_curve
from latentcomp.train.loop import train
from latentcomp.train.optimisers import OPTIMISERS, set_lr
from latentcomp.train.recipe import Budget, Optimiser

from . import tiny


@pytest.fixture
def made(run_folder, teacher, tmp_path):
    """A function that makes a run in this test's folder."""

    def make(of=tiny.RECIPE, **changes):
        return tiny.training_run(run_folder, teacher, tmp_path / "trial", of, **changes)

    return make


class OneBatch:
    """The same batch again and again."""

    def __init__(self, source):
        self._batch = source.at(0)
        source.close()

    def at(self, step):
        return self._batch

    def document_ids(self, step):
        return tuple(f"document-{row}" for row in range(len(self._batch.token_ids_BT)))

    def describe(self):
        return {"kind": "one"}

    def close(self):
        pass


@pytest.mark.parametrize("number", [1, 4])
def test_a_batch_can_be_learned(made, number):
    run = made(phase(number).recipe, steps=20, lr=1e-2, save_every=100)
    run.batches = OneBatch(run.batches)
    before = {name: weight.clone() for name, weight in run.reasoner.lm.model.named_parameters()}
    figures: list[dict[str, float]] = []
    train(run, figures.append)
    losses = [line["loss"] for line in figures]
    assert losses[-1] < losses[0] - 0.05, losses
    assert min(losses[-5:]) == min(losses)
    for name, weight in run.reasoner.lm.model.named_parameters():
        assert torch.equal(weight, before[name]), name


def test_the_habit_alone_is_learned_from_the_states_of_others(made, monkeypatch):
    """Every document is asked about behind the latents of the one before it in the batch."""
    seen = []

    def watched(forward, states, ratio):
        seen.append(states)
        return compress(forward, states, ratio)

    monkeypatch.setattr(loop, "compress", watched)
    run = made(tiny.RECIPE.changed({"data.states": "other"}), steps=1)
    own = run.batches.at(0).states
    train(run)
    assert torch.equal(seen[0].h_BTLD[1:], own.h_BTLD[:-1])
    assert torch.equal(seen[0].mask_BT[0], own.mask_BT[-1])
    assert torch.equal(seen[0].day_BT[1:], own.day_BT[:-1])
    assert not torch.equal(seen[0].h_BTLD, own.h_BTLD)


def test_a_field_at_its_default_is_not_in_the_hash():
    """Hashes of records from before `data.states` hold."""
    recipe = phase(4).recipe
    assert recipe.sha256 == recipe.changed({"data.states": "own"}).sha256
    assert recipe.sha256 != recipe.changed({"data.states": "other"}).sha256
    assert "states" not in recipe.data.recorded()
    assert recipe.sha256 == recipe.changed({"ratio_order": "drawn"}).sha256
    assert recipe.sha256 != recipe.changed({"ratio_order": "rising"}).sha256


def test_the_figures_of_a_step(made, tmp_path):
    of = phase(5).recipe.changed({"ratios": (4.0, 8.0)})
    told: list[dict[str, float]] = []
    train(made(of, steps=6), told.append)
    assert read_curve(tmp_path / "trial") == told
    assert [line["step"] for line in told] == list(range(1, 7))
    for line in told:
        assert line["loss"] == pytest.approx(line["answer"] + line["alignment"], rel=1e-4)
        assert 0 < line["gradient"] < math.inf
        assert 0 <= line["token_accuracy"] <= 1
        assert line["documents"] == 2 * line["step"]
    assert {line["ratio"] for line in told} == {4.0, 8.0}
    assert list((tmp_path / "trial" / "tensorboard").glob("events*"))


def test_ratios_rise_until_the_rate_falls(made):
    """What is drawn knows nothing of the progress, what rises nothing of the seed."""
    rising = phase(5).recipe.changed(
        {"ratios": (4.0, 2.0, 3.0), "ratio_order": "rising", "optimiser.decay_start": 0.6}
    )
    steps = [rising.ratio_at(7, step, step / 10) for step in range(10)]
    assert steps == [2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    at_once = rising.changed({"optimiser.decay_start": 0.0})
    assert at_once.ratio_at(0, 0, 0.0) == 4.0
    assert rising.ratios[0] == 4.0, "the one that is reported"
    drawn = rising.changed({"ratio_order": "drawn"})
    assert {drawn.ratio_at(0, step, 0.0) for step in range(40)} == {2.0, 3.0, 4.0}
    assert drawn.ratio_at(0, 3, 0.1) == drawn.ratio_at(0, 3, 0.9)
    told: list[dict[str, float]] = []
    train(made(rising, steps=6), told.append)
    assert [line["ratio"] for line in told] == [2.0, 2.0, 3.0, 4.0, 4.0, 4.0]


def test_a_ratio_that_is_listed_twice_is_drawn_twice_as_often_and_named_once():
    often = phase(4).recipe.changed({"ratios": (4.0, 8.0, 8.0)})
    drawn = [often.ratio_at(0, step, 0.0) for step in range(3000)]
    assert drawn.count(8.0) / len(drawn) == pytest.approx(2 / 3, abs=0.03)
    assert often.distinct_ratios == (4.0, 8.0)


def test_a_run_is_made_again_exactly(made, tmp_path):
    curves = []
    for _ in range(2):
        lines: list[dict[str, float]] = []
        train(made(steps=3), lines.append)
        curves.append([(line["loss"], line["gradient"]) for line in lines])
        (tmp_path / "trial").rename(tmp_path / f"trial-{len(curves)}")
    assert curves[0] == curves[1]
    files = [next((tmp_path / f"trial-{n}").rglob("model.safetensors")) for n in (1, 2)]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("ahead", [False, True])
def test_reading_ahead_as_on_a_gpu_changes_nothing(made, monkeypatch, ahead):
    """The batch of the next step is there before the update, and none is made for nothing."""
    order: list[str] = []
    run = made(steps=3)
    at, step = run.batches.at, torch.optim.AdamW.step
    monkeypatch.setattr(loop, "_reads_ahead", lambda run: ahead)

    def noted(what, call):
        order.append(what)
        return call()

    monkeypatch.setattr(run.batches, "at", lambda n: noted(f"read {n}", lambda: at(n)))
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: noted("update", lambda: step(self)))
    lines: list[dict[str, float]] = []
    train(run, lines.append)
    plain = ["read 0", "update", "read 1", "update", "read 2", "update"]
    overlapped = ["read 0", "read 1", "update", "read 2", "update", "update"]
    assert order == (overlapped if ahead else plain)
    (run.folder).rename(run.folder.with_name("first"))
    again: list[dict[str, float]] = []
    monkeypatch.undo()
    train(made(steps=3), again.append)
    assert [line["loss"] for line in lines] == [line["loss"] for line in again]


def test_the_gradient_is_clipped(made, monkeypatch):
    run = made(steps=1, clip_norm=0.01)
    seen = []
    step = torch.optim.AdamW.step

    def watched(self, *arguments):
        gradients = [w.grad for group in self.param_groups for w in group["params"]]
        seen.append(float(torch.stack([g.norm() for g in gradients if g is not None]).norm()))
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    train(run)
    assert seen[0] == pytest.approx(0.01, rel=1e-3)


def test_one_bad_batch_does_not_poison_the_run(made):
    run = made(steps=3, save_every=1)

    class Bad(OneBatch):
        def at(self, step):
            h = self._batch.states.h_BTLD
            bad = torch.full_like(h, torch.nan) if step == 1 else h
            return replace(self._batch, states=replace(self._batch.states, h_BTLD=bad))

    run.batches = Bad(run.batches)
    weights, figures = [], []

    def on_step(told):
        figures.append(told)
        weights.append([weight.detach().clone() for weight in run.model.parameters()])

    train(run, on_step)
    assert not math.isfinite(figures[1]["loss"])
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert math.isfinite(figures[2]["loss"])
    assert not all(torch.equal(a, b) for a, b in zip(weights[1], weights[2], strict=True))
    state = checkpoint.open_checkpoint(run.folder / "checkpoint").state
    assert (state.skipped_steps, state.finished) == (1, False), "a third of it taught nothing"
    for line in (run.folder / "log.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize(("steps", "bad"), [(4, range(4)), (9, range(3, 6))])
def test_a_run_that_learns_nothing_stops_and_never_finishes(made, steps, bad):
    """Every step NaN, or three in a row: refused with the documents, not ended well."""
    run = made(steps=steps, save_every=1)

    class Bad(OneBatch):
        def at(self, step):
            h = self._batch.states.h_BTLD
            states = torch.full_like(h, torch.nan) if step in bad else h
            return replace(self._batch, states=replace(self._batch.states, h_BTLD=states))

    run.batches = Bad(run.batches)
    with pytest.raises(TrainingError) as caught:
        train(run)
    report = json.loads((run.folder / "non_finite.json").read_text())
    assert report["steps"] == {str(step + 1): ["document-0", "document-1"] for step in bad[:3]}
    assert "\n" not in str(caught.value) and str(run.folder / "non_finite.json") in str(
        caught.value
    )
    root = run.folder / "checkpoint"
    if checkpoint.exists(root):
        assert checkpoint.open_checkpoint(root).state.finished is False


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_matrices_decay_and_gains_do_not(made, kind):
    run = made(kind=kind, weight_decay=0.3)
    optimizers = OPTIMISERS[kind](run.model, run.recipe.optimiser, False)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    decay = {id(weight): group["weight_decay"] for group in groups for weight in group["params"]}
    for name, weight in run.model.named_parameters():
        assert decay[id(weight)] == (0.3 if weight.ndim >= 2 else 0.0), name


def test_muon_takes_the_matrices_and_adamw_the_rest(made):
    run = made(kind="muon", lr=0.1, matrix_lr=0.2)
    first, rest = OPTIMISERS["muon"](run.model, run.recipe.optimiser, False)
    names = {id(weight): name for name, weight in run.model.named_parameters()}
    by_muon = {names[id(w)] for group in first.param_groups for w in group["params"]}
    by_adamw = {names[id(w)] for group in rest.param_groups for w in group["params"]}
    assert "compressor.blocks.0.self_attn.query.weight" in by_muon
    assert {"compressor.time.digits.weight", "projection.scale.per_latent_scale.weight"} <= by_adamw
    assert by_muon | by_adamw == set(names.values()) and not by_muon & by_adamw
    set_lr([first, rest], run.recipe.optimiser, 100, 0.0)
    assert {group["lr"] for group in first.param_groups} == {0.2}
    assert {group["lr"] for group in rest.param_groups} == {0.1}


def test_muon_goes_on_exactly(made, tmp_path):
    train(made(kind="muon", steps=4, save_every=1))
    whole = next((tmp_path / "trial").rglob("model.safetensors")).read_bytes()
    (tmp_path / "trial").rename(tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(figures):
        if figures["step"] == 3:
            raise Stop

    with pytest.raises(Stop):
        train(made(kind="muon", steps=4, save_every=1), stop)
    train(made(kind="muon", steps=4, save_every=1))
    assert next((tmp_path / "trial").rglob("model.safetensors")).read_bytes() == whole


@given(st.integers(0, 30), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 20))
def test_the_learning_rate_stays_within_its_bounds(step, progress, decay_start, final, warmup):
    settings = Optimiser(decay_start=decay_start, final_lr_fraction=final, warmup_steps=warmup)
    lr = settings.lr_at(0.5, step, progress)
    assert 0 <= lr <= 0.5
    if step + 1 >= warmup:
        assert lr >= 0.5 * final - 1e-9
        if progress <= decay_start:
            assert lr == 0.5


def test_the_shape_of_the_learning_rate():
    settings = Optimiser(warmup_steps=2, decay_start=0.5, final_lr_fraction=0.1)
    rates = [round(settings.lr_at(1.0, step, step / 10), 4) for step in range(10)]
    assert rates == [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert settings.lr_at(1.0, 10, 0.99) == 0.1


@pytest.mark.parametrize(
    "fields",
    [
        {"budget.steps": None},
        {"budget.seconds": 3.0},
        {"budget.steps": 0},
        {"data.batch_size": 0},
        {"data.states": "another"},
        {"data.states": "other", "data.batch_size": 1},
        {"optimiser.lr": 0},
        {"optimiser.lr": float("nan")},
        {"oops": 1},
        {"model.oops": 1},
        {"objectives.answer": 0},
        {"objectives.answer": None},
        {"ratios": ()},
        {"ratios": (0.5,)},
        {"layers": ()},
    ],
)
def test_recipes_that_make_no_sense(fields):
    with pytest.raises(RecipeError) as caught:
        tiny.RECIPE.changed(fields)
    assert "\n" not in str(caught.value)


def test_a_clock_of_steps_and_one_of_the_wall(made, monkeypatch):
    run = made()
    assert isinstance(clock_of(run.recipe.budget, run.accelerator), StepClock)
    assert [StepClock(4).progress(step) for step in (0, 1, 4)] == [0, 0.25, 1]
    seconds = itertools.count(100.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(clock, "broadcast", lambda told: told)
    wall = clock_of(Budget(seconds=4.0), run.accelerator)
    assert isinstance(wall, WallClock)
    told = [wall.progress(step) for step in range(2 * BROADCAST_EVERY + 1)]
    assert told == [0.25] * BROADCAST_EVERY + [0.5] * BROADCAST_EVERY + [0.75]


def test_a_run_by_the_clock_ends(made):
    told: list[dict[str, float]] = []
    train(made(steps=None, seconds=0.5), told.append)
    assert len(told) >= BROADCAST_EVERY
    assert len(told) % BROADCAST_EVERY == 0
    assert told[-1]["seconds"] >= 0.4


def test_the_curve_is_cut_back_to_the_checkpoint(tmp_path):
    log = CurveLog(tmp_path, 0)
    for step in range(1, 6):
        log.write({"step": step, "loss": step / 3})
    log.close()
    with (tmp_path / "log.jsonl").open("a") as out:
        out.write('{"step": 6, "lo')  # killed while writing
    assert [line["step"] for line in read_curve(tmp_path)] == [1, 2, 3, 4, 5]
    log = CurveLog(tmp_path, 3)
    log.write({"step": 4, "loss": 0.5})
    log.close()
    assert [(x["step"], x["loss"]) for x in read_curve(tmp_path)][2:] == [(3, 1.0), (4, 0.5)]


def test_there_may_be_no_curve(tmp_path):
    assert read_curve(tmp_path) == []
