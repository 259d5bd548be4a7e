"""Assumption 4: states of the right layers, and every way in which they could be wrong."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from latentcomp.doctor import forward
from latentcomp.doctor.forward import ForwardStates, every_layer, judge
from latentcomp.doctor.settings import Settings
from latentcomp.extract.teachers import readable, transformers_teacher
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.loading import load_causal_lm
from latentcomp.models.precision import usual_dtype
from latentcomp.tools.tiny_checkpoint import save_tiny
from latentcomp.tools.tiny_models import MODELS

from ..extract import tiny_models


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {
        "dense": tiny_models.save(tiny_models.tiny_qwen3(4), root / "dense"),
        "moe": tiny_models.save(tiny_models.tiny_qwen3_moe(3), root / "moe"),
    }


@pytest.fixture(scope="module")
def lm(folders):
    return load_causal_lm(str(folders["dense"]))


@pytest.fixture(scope="module")
def reading(lm):
    """What a right extraction gives."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "judge", lambda identity, reading, dtype: seen.append(reading))
        forward.read_and_judge(lm)
    return seen[0]


def verdict(lm, reading):
    return judge(lm.identity, reading, torch.float32)


@pytest.mark.parametrize("name", ["dense", "moe"])
def test_a_model_on_this_machine(folders, name):
    finding = forward.check_forward(Settings(teacher=str(folders[name])))
    assert finding.status == "ok", finding.observed


def test_every_depth_is_read():
    layers = every_layer(3)
    assert [(one.blocks_completed, one.post_norm) for one in layers] == [
        (0, False), (1, False), (2, False), (3, False), (3, True),
    ]  # fmt: skip


def test_not_on_this_machine():
    finding = forward.check_forward(Settings(teacher="nobody/nowhere-7b"))
    assert finding.status == "unknown" and "hf download" in (finding.next_step or "")


def test_a_model_that_the_memory_does_not_hold(monkeypatch, folders):
    monkeypatch.setattr(forward, "_room", lambda device: 1000.0)
    finding = forward.check_forward(Settings(teacher=str(folders["dense"])))
    assert finding.status == "unknown" and "GB free" in finding.observed


def test_damaged_weights(tmp_path):
    folder = tiny_models.save(tiny_models.tiny_qwen3(2), tmp_path / "tiny")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    finding = forward.check_forward(Settings(teacher=str(folder)))
    assert finding.status == "failed" and "truncated" in finding.observed


def changed(reading, alone):
    half = reading.tokens // 2
    return replace(reading, alone=alone, batch=(alone, alone[:half]))


@pytest.mark.parametrize("shift", [1, -1])
def test_one_block_off(lm, reading, shift):
    off = reading.alone.roll(shift, dims=1)
    finding = verdict(lm, changed(reading, off))
    assert finding.status == "failed" and "is not entry" in finding.observed


@pytest.mark.parametrize("slot", range(4))
def test_one_layer_taken_for_its_neighbour(lm, reading, slot):
    off = reading.alone.clone()
    off[:, slot] = reading.alone[:, slot + 1]
    assert verdict(lm, changed(reading, off)).status == "failed"


def test_the_norm_applied_to_the_last_block(lm, reading):
    off = reading.alone.clone()
    off[:, -2] = reading.alone[:, -1]
    finding = verdict(lm, changed(reading, off))
    assert finding.status == "failed" and "after 4 blocks: is entry 4" in finding.observed


def test_the_norm_left_out(lm, reading):
    off = reading.alone.clone()
    off[:, -1] = reading.alone[:, -2]
    finding = verdict(lm, changed(reading, off))
    assert finding.status == "failed" and "the final norm: is not entry 4" in finding.observed


def test_a_hook_that_is_one_block_late(lm, monkeypatch):
    """The same through the extraction code itself."""
    states = TransformersTeacher.states

    def late(self, documents, layers):
        return [state.roll(-1, dims=1) for state in states(self, documents, layers)]

    monkeypatch.setattr(TransformersTeacher, "states", late)
    assert forward.read_and_judge(lm).status == "failed"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_states_that_are_no_numbers(lm, reading, value):
    off = reading.alone.clone()
    off[3, 2, 5] = value
    finding = verdict(lm, changed(reading, off))
    assert finding.status == "failed" and "after 2 blocks is NaN or infinite" in finding.observed


def test_a_wrong_shape(lm, reading):
    finding = verdict(lm, changed(reading, reading.alone[:, :-1]))
    assert finding.status == "failed" and "states of shape" in finding.observed


def test_a_batch_that_leaks(lm, reading):
    long, short = reading.batch
    finding = verdict(lm, replace(reading, batch=(long, short * 1.01)))
    assert finding.status == "failed" and "a batch reads differently" in finding.observed


def test_layers_that_cannot_be_told_apart(lm, reading):
    own = reading.own.clone()
    own[2] = own[1]
    alone = reading.alone.clone()
    alone[:, 2] = alone[:, 1]
    half = reading.tokens // 2
    blurred = ForwardStates(alone, (alone, alone[:half]), own, reading.layers, reading.tokens)
    finding = verdict(lm, blurred)
    assert finding.status == "unknown" and "after 1 and 2 blocks" in finding.observed


@pytest.mark.parametrize(("name", "least"), [("phi3-longrope", 64), ("bamba", 24)])
def test_it_is_the_self_test_of_an_extraction(tmp_path, name, least):
    """On documents as long as the code of the model distinguishes."""
    model = next(model for model in MODELS if model.name == name)
    finding = forward.check_forward(Settings(teacher=str(save_tiny(model, tmp_path / name))))
    assert finding.status == "ok", finding.observed
    tested = finding.details["self_test"]
    assert max(tested["documents"]) > least and tested["layers"]


def test_a_model_that_an_extraction_refuses_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(readable, "same_side", lambda lengths, _: [tuple(range(len(lengths)))])
    monkeypatch.setattr(transformers_teacher, "same_side", readable.same_side)
    model = next(model for model in MODELS if model.name == "phi3-longrope")
    finding = forward.check_forward(Settings(teacher=str(save_tiny(model, tmp_path / "tiny"))))
    assert finding.status == "failed"
    assert "is not that of the document alone" in finding.observed


@pytest.mark.parametrize("kept", [torch.float32, torch.bfloat16])
def test_weights_take_what_their_numbers_do_in_whatever_precision_they_lie(tmp_path, kept):
    """Files of a real model may be float32; a GPU reads them as bfloat16."""
    file = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(10, 3, dtype=kept), "b": torch.zeros(5, dtype=kept)}, file)
    for device in ("cpu", "cuda"):
        size = {"float32": 4, "bfloat16": 2}[usual_dtype("lab", device)]
        assert forward._weight_bytes("lab", [file], torch.device(device)) == 35 * size
