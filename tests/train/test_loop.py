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
from pydantic import ValidationError

from latentcomp.compressor import checkpoint
from latentcomp.train import clock
from latentcomp.train.clock import BROADCAST_EVERY, StepClock, WallClock, clock_of
from latentcomp.train.log import CurveLog, read_curve
from latentcomp.train.loop import train
from latentcomp.train.phases import phase

from . import tiny


@pytest.fixture
def made(run_folder, teacher, tmp_path):
    """A function that makes a run in this test's folder."""

    def make(spec=tiny.PHASE, **changes):
        return tiny.training_run(run_folder, teacher, tmp_path / "phase", spec, **changes)

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
    run = made(phase(number), steps=20, rate=1e-2, save_every=100)
    run.batches = OneBatch(run.batches)
    before = {name: weight.clone() for name, weight in run.reasoner.lm.model.named_parameters()}
    figures: list[dict[str, float]] = []
    train(run, figures.append)
    losses = [line["loss"] for line in figures]
    assert losses[-1] < losses[0] - 0.05, losses
    assert min(losses[-5:]) == min(losses)
    for name, weight in run.reasoner.lm.model.named_parameters():
        assert torch.equal(weight, before[name]), name


def test_the_figures_of_a_step(made, tmp_path):
    spec = phase(5).model_copy(update={"ratios": (4.0, 8.0)})
    told: list[dict[str, float]] = []
    train(made(spec, steps=6), told.append)
    assert read_curve(tmp_path / "phase") == told
    assert [line["step"] for line in told] == list(range(1, 7))
    for line in told:
        assert line["loss"] == pytest.approx(line["answer"] + line["alignment"], rel=1e-4)
        assert 0 < line["gradient"] < math.inf
        assert 0 <= line["token_accuracy"] <= 1
        assert line["documents"] == 2 * line["step"]
    assert {line["ratio"] for line in told} == {4.0, 8.0}
    assert list((tmp_path / "phase" / "tensorboard").glob("events*"))


def test_a_run_is_made_again_exactly(made, tmp_path):
    curves = []
    for _ in range(2):
        lines: list[dict[str, float]] = []
        train(made(steps=3), lines.append)
        curves.append([(line["loss"], line["gradient"]) for line in lines])
        (tmp_path / "phase").rename(tmp_path / f"phase-{len(curves)}")
    assert curves[0] == curves[1]
    files = [next((tmp_path / f"phase-{n}").rglob("model.safetensors")) for n in (1, 2)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_gradient_is_clipped(made, monkeypatch):
    run = made(steps=1, clip=0.01)
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
    json.dumps(checkpoint.open_checkpoint(run.folder / "checkpoint").state.run, allow_nan=False)


def test_matrices_decay_and_gains_do_not(made):
    from latentcomp.train import loop

    run = made(weight_decay=0.3)
    decay = {
        id(weight): group["weight_decay"]
        for group in loop._optimizer(run).param_groups
        for weight in group["params"]
    }
    for name, weight in run.model.named_parameters():
        assert decay[id(weight)] == (0.3 if weight.ndim >= 2 else 0.0), name


@given(st.integers(0, 30), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 20))
def test_the_rate_stays_within_its_bounds(step, progress, flat_until, last_rate, warm_up):
    plan = tiny.plan(rate=0.5, flat_until=flat_until, last_rate=last_rate, warm_up=warm_up)
    rate = plan.rate_at(step, progress)
    assert 0 <= rate <= 0.5
    if step + 1 >= warm_up:
        assert rate >= 0.5 * last_rate - 1e-9
        if progress <= flat_until:
            assert rate == 0.5


def test_the_shape_of_the_rate():
    plan = tiny.plan(steps=10, rate=1.0, warm_up=2, flat_until=0.5, last_rate=0.1)
    rates = [round(plan.rate_at(step, step / 10), 4) for step in range(10)]
    assert rates == [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]
    assert plan.rate_at(10, 0.99) == 0.1


@pytest.mark.parametrize(
    "fields",
    [{"steps": None}, {"seconds": 3.0}, {"steps": 0}, {"documents": 0}, {"rate": 0}, {"oops": 1}],
)
def test_plans_that_make_no_sense(fields):
    with pytest.raises(ValidationError):
        tiny.plan(**fields)


def test_a_clock_of_steps_and_one_of_the_wall(made, monkeypatch):
    run = made()
    assert isinstance(clock_of(run.plan, run.accelerator), StepClock)
    assert [StepClock(4).progress(step) for step in (0, 1, 4)] == [0, 0.25, 1]
    seconds = itertools.count(100.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(clock, "broadcast", lambda told: told)
    wall = clock_of(tiny.plan(steps=None, seconds=4.0), run.accelerator)
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
