"""`train_phase`: the order of phases, what a run starts from, what it refuses, a live source."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from latentcomp.commands import training
from latentcomp.commands.training import TrainRequest, train_phase
from latentcomp.common.errors import CheckpointError, LatentcompError, PhaseError, StoreError
from latentcomp.compressor import checkpoint
from latentcomp.evaluate.gates import Verdict
from latentcomp.evaluate.order import write_verdict
from latentcomp.models.loading import load_causal_lm
from latentcomp.store.read.reader import FeatureStore
from latentcomp.train.phases import PHASES

from . import tiny

LAYERS = (-6, -18, -30)
"""Of 32 blocks: after 27, 15 and 3, which is what the store has."""


@pytest.fixture(scope="session")
def deep(tmp_path_factory):
    """A teacher deep enough for the layers of the phases."""
    return tiny.save_model(tmp_path_factory.mktemp("deep") / "tiny-32", blocks=32)


@pytest.fixture(scope="session")
def extracted(deep, tmp_path_factory):
    folder = tmp_path_factory.mktemp("extracted")
    return tiny.write_run(folder, deep, tiny.documents(4), tiny.layers(3, 15, 27))


@pytest.fixture
def run(extracted, tmp_path):
    """A copy to train in."""
    return shutil.copytree(extracted, tmp_path / "run")


@pytest.fixture
def request_of(run, deep):
    def make(number=1, **changes):
        plan = tiny.plan(**{"steps": 1, "documents": 1, "save_every": 1, **changes.pop("plan", {})})
        given = {"run": run, "phase": number, "plan": plan, "reasoner": str(deep), "device": "cpu"}
        return TrainRequest(**(given | changes))

    return make


def verdict(number, status="passed", skipped=()):
    return Verdict.model_construct(
        phase=number, status=status, reason="as measured", skipped=tuple(skipped)
    )


@pytest.fixture
def judged(run, monkeypatch):
    """A function that records verdicts as if they had been measured."""
    known: dict[int, Verdict] = {}
    monkeypatch.setattr(training, "read_verdicts", lambda path: dict(known))

    def judge(*numbers, status="passed"):
        known.update({number: verdict(number, status) for number in numbers})

    return judge


def error_of(request, kind=LatentcompError):
    with pytest.raises(kind) as caught:
        train_phase(request)
    text = str(caught.value)
    assert "\n" not in text
    return text


def record(run, number):
    return json.loads((run / "phases" / str(number) / "run.json").read_text())


def test_the_first_phase_may_begin_and_says_what_it_is(request_of, run):
    folder = train_phase(request_of())
    assert folder == run / "phases" / "1"
    told = record(run, 1)
    assert told["phase"]["title"] == "control"
    assert told["skipped"] == []
    assert told["start"] == {"from": "fresh", "seed": 0}
    assert told["provenance"]["seeds"] == {"train": 0}
    found = checkpoint.open_checkpoint(folder / "checkpoint")
    assert found.state.step == 1
    assert {key: told[key] for key in found.state.run} == found.state.run
    store = FeatureStore(run / "store")
    assert found.state.spec.teacher == store.manifest.teacher
    assert [layer.blocks_completed for layer in found.state.spec.layers] == [27]


@pytest.mark.parametrize("number", [2, 4, 5, 6, 7, 8])
def test_a_phase_out_of_turn_says_what_to_run_first(request_of, run, number):
    text = error_of(request_of(number), PhaseError)
    first = 1 if number == 8 else number - 1
    assert f"`latentcomp train --phase {first}`" in text
    assert f"`latentcomp evaluate --phase {first}`" in text
    assert "--skip-order" in text
    assert not (run / "phases").exists(), "nothing is begun"


@pytest.mark.parametrize("number", [spec.number for spec in PHASES if not spec.available])
def test_a_phase_that_lacks_something_says_so_once_its_turn_has_come(request_of, judged, number):
    judged(*range(1, number))
    lacks = next(spec.lacks for spec in PHASES if spec.number == number)
    assert lacks in error_of(request_of(number), PhaseError)
    assert lacks in error_of(request_of(number, skip_order=True), PhaseError)


def test_a_verdict_on_disk_lets_the_next_one_begin(request_of, run, monkeypatch):
    from ..evaluate.test_gates_order import verdict as measured

    folder = train_phase(request_of(1))
    weights = checkpoint.open_checkpoint(folder / "checkpoint").state.sha256[checkpoint.MODEL]
    write_verdict(run, measured(1, checkpoint_sha256=weights))
    train_phase(request_of(2))
    assert record(run, 2)["skipped"] == []


def test_skipping_the_order_is_recorded(request_of, run, judged):
    judged(1)
    folder = train_phase(request_of(4, skip_order=True))
    assert record(run, 4)["skipped"] == [2, 3]
    found = checkpoint.open_checkpoint(folder / "checkpoint")
    assert found.state.run["skipped"] == [2, 3]


def test_a_store_of_another_teacher(request_of, run, teacher):
    text = error_of(request_of(reasoner=str(teacher)), StoreError)
    assert "'tiny-32'" in text
    assert "'tiny'" in text
    assert "--reasoner" in text


def test_a_store_of_another_corpus(request_of, run, tmp_path):
    from latentcomp.corpus.files import write_corpus

    write_corpus(run / "corpus", tiny.documents(3), {})
    assert "another corpus" in error_of(request_of(), StoreError)


@pytest.mark.parametrize("missing", ["store", "corpus"])
def test_a_run_without_its_store_or_corpus(request_of, run, missing):
    shutil.rmtree(run / missing)
    assert missing in error_of(request_of())
    assert not (run / "phases").exists()


def test_a_layer_that_the_store_lacks(request_of, run):
    assert "after 31 blocks" in error_of(request_of(overrides=(("layers", (-2,)),)), StoreError)


def test_it_goes_on_and_restarts(request_of, run):
    told = []
    plan = {"steps": 2, "save_every": 1}

    class Stop(Exception):
        pass

    def stop(figures):
        told.append(figures["step"])
        if len(told) == 2:
            raise Stop

    with pytest.raises(Stop):
        train_phase(request_of(plan=plan), stop)
    train_phase(request_of(plan=plan), lambda figures: told.append(figures["step"]))
    assert told == [1, 2, 2]
    train_phase(request_of(plan=plan), lambda figures: told.append(figures["step"]))
    assert told == [1, 2, 2], "there is nothing left to do"
    text = error_of(request_of(plan=plan | {"seed": 5}), CheckpointError)
    assert "plan.seed was 0, now 5" in text
    train_phase(request_of(plan=plan | {"seed": 5}, restart=True), lambda figures: told.append(9))
    assert told[3:] == [9, 9]


@pytest.fixture
def shipped(extracted, deep, tmp_path, monkeypatch):
    """A shipped checkpoint of phase 1, as a longer run elsewhere would have left it."""
    home = tmp_path / "shipped"
    monkeypatch.setattr(training, "SHIPPED", home)
    elsewhere = shutil.copytree(extracted, tmp_path / "elsewhere")
    plan = tiny.plan(steps=3, documents=1, rate=0.01, save_every=3)
    train_phase(TrainRequest(elsewhere, 1, plan, reasoner=str(deep), device="cpu"))
    found = checkpoint.open_checkpoint(elsewhere / "phases" / "1" / "checkpoint")
    checkpoint.save_checkpoint(home / "phase-1", 3, found.model(), None, found.state.run)
    return home / "phase-1"


@pytest.fixture
def first_weights(monkeypatch):
    """A function: the weights that a run begins with, and what it says of where they are from."""

    def begin(request):
        begun = []
        with monkeypatch.context() as patch:
            patch.setattr(training, "train", lambda run, *told: begun.append(run))
            train_phase(request)
        begun[0].batches.close()
        return begun[0].model.state_dict(), begun[0].record["start"]

    return begin


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_what_a_run_may_start_from(request_of, shipped, first_weights):
    wanted = checkpoint.open_checkpoint(shipped).model().state_dict()
    fresh, start = first_weights(request_of(start="fresh"))
    assert start == {"from": "fresh", "seed": 0}
    assert not equal(fresh, wanted)
    for name, source in (("auto", "shipped"), ("shipped", "shipped"), (str(shipped), "shipped")):
        weights, start = first_weights(request_of(start=name))
        assert equal(weights, wanted)
        assert (start["from"], start["steps"]) == (source, 3)
        assert start["history"]["plan"]["rate"] == 0.01
    copied = shutil.copytree(shipped, shipped.parent / "mine")
    weights, start = first_weights(request_of(start=str(copied)))
    assert equal(weights, wanted)
    assert start["from"] == "checkpoint"


def test_the_seed_decides_fresh_weights(request_of, first_weights):
    weights = [first_weights(request_of(start="fresh", plan={"seed": s}))[0] for s in (0, 0, 1)]
    assert equal(weights[0], weights[1])
    assert not equal(weights[0], weights[2])


def test_a_start_that_does_not_fit(request_of, shipped, first_weights):
    wider = replace(request_of(start="shipped"), overrides=(("layers", LAYERS),))
    assert "--start fresh" in error_of(wider, CheckpointError)
    assert "--start fresh" in error_of(replace(wider, start=str(shipped)), CheckpointError)
    _, start = first_weights(replace(wider, start="auto"))
    assert start["from"] == "fresh"


def test_a_start_fits_whatever_machine_measured_the_embeddings(request_of, shipped, first_weights):
    """The mean over a table depends on the order of its sum, which a GPU has its own of."""
    found = checkpoint.open_checkpoint(shipped)
    model = found.model()
    model.spec = model.spec.model_copy(
        update={"embedding_rms": model.spec.embedding_rms * (1 + 1e-7)}
    )
    checkpoint.save_checkpoint(shipped, 3, model, None, found.state.run)
    assert first_weights(request_of(start="auto"))[1]["from"] == "shipped"


@pytest.mark.parametrize("start", ["shipped", "/nowhere/at/all"])
def test_a_start_that_is_not_there(request_of, start, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SHIPPED", tmp_path)
    assert "no checkpoint here" in error_of(request_of(start=start), CheckpointError)


@pytest.mark.parametrize("number", [1, 5])
def test_a_live_source_trains_without_a_store(request_of, run, number):
    shutil.rmtree(run / "store")
    told: list[dict[str, float]] = []
    made = request_of(number, live=True, skip_order=True, plan={"question_positions": 64})
    train_phase(made, told.append)
    assert [line["step"] for line in told] == [1]
    assert torch.isfinite(torch.tensor(told[0]["loss"]))
    assert told[0]["gradient"] > 0
    data = record(run, number)["data"]
    assert data["kind"] == "live"


@pytest.mark.parametrize("live", [False, True])
def test_a_restart_may_start_from_what_it_throws_away(request_of, run, live):
    folder = train_phase(request_of()) / "checkpoint"
    weights = checkpoint.open_checkpoint(folder).state.sha256
    told: list[float] = []
    made = request_of(start=str(folder), restart=True, live=live, plan={"question_positions": 64})
    train_phase(made, lambda figures: told.append(figures["step"]))
    assert told == [1]
    assert record(run, 1)["start"]["sha256"] == weights[checkpoint.MODEL]


def test_a_restart_that_cannot_begin_throws_nothing_away(request_of, run):
    train_phase(request_of())
    (run / "store").rename(run / "elsewhere")
    error_of(request_of(restart=True), StoreError)
    assert checkpoint.open_checkpoint(run / "phases" / "1" / "checkpoint").state.step == 1


def test_a_resident_store_trains_to_the_same_weights(request_of, run):
    """Where the states lie decides nothing."""
    folder = train_phase(request_of(resident=True))
    weights = (folder / "checkpoint").glob("*/model.safetensors")
    resident = [file.read_bytes() for file in weights]
    train_phase(request_of(restart=True))
    streamed = [file.read_bytes() for file in (folder / "checkpoint").glob("*/model.safetensors")]
    assert resident and resident == streamed


def test_live_and_resident_exclude_each_other(request_of):
    with pytest.raises(StoreError, match="exclude each other"):
        train_phase(request_of(live=True, resident=True))


def sessions(run, number=1):
    return [session["first_step"] for session in record(run, number)["sessions"]]


def test_a_refused_run_leaves_the_record_of_the_one_that_is_there(request_of, run):
    train_phase(request_of())
    before = (run / "phases" / "1" / "run.json").read_bytes()
    error_of(request_of(plan={"seed": 5}), CheckpointError)
    train_phase(request_of())  # nothing left to do
    assert (run / "phases" / "1" / "run.json").read_bytes() == before
    assert sessions(run) == [1]


def test_every_session_that_trained_is_recorded(request_of, run):
    class Stop(Exception):
        pass

    def stop(figures):
        if figures["step"] == 2:
            raise Stop

    plan = {"steps": 3, "save_every": 1}
    with pytest.raises(Stop):
        train_phase(request_of(plan=plan), stop)
    train_phase(request_of(plan=plan))
    assert sessions(run) == [1, 2], "the second step was not saved, and was done again"
    assert checkpoint.open_checkpoint(run / "phases" / "1" / "checkpoint").state.finished


def test_what_the_ancestor_skipped_stays_skipped(request_of, run, judged, tmp_path):
    folder = train_phase(request_of(4, skip_order=True))
    kept = shutil.copytree(folder / "checkpoint", tmp_path / "kept")
    judged(1, 2, 3)
    train_phase(request_of(4, start=str(kept), restart=True))
    assert record(run, 4)["skipped"] == [1, 2, 3]


def test_a_budget_of_seconds_is_spent_once(request_of, run):
    """The same command again finds it used up; a part of it that is left is all there is."""
    plan = {"steps": None, "seconds": 1.5, "save_every": 1000}
    told: list[float] = []
    train_phase(request_of(plan=plan), lambda figures: told.append(figures["seconds"]))
    train_phase(request_of(plan=plan), lambda figures: told.append(-1.0))
    assert told and -1.0 not in told
    state = checkpoint.open_checkpoint(run / "phases" / "1" / "checkpoint").state
    assert state.finished and state.seconds >= told[-1] >= 1.0


def test_another_number_of_processes_or_another_store_is_another_run(run, deep):
    model = load_causal_lm(str(deep))
    alone = tiny.store_batches(run, model).describe()
    shared = tiny.store_batches(run, model, rank=0, world=2).describe()
    assert {key for key in alone if alone[key] != shared[key]} == {"world"}
    assert {"dtype", "codec", "corpus_sha256"} <= alone.keys()
