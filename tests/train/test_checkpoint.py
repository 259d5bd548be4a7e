"""Checkpoints: what was saved comes back exactly; damage is reported in one line."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from latentcomp.common import atomic
from latentcomp.common.errors import CheckpointError, LatentcompError
from latentcomp.train import checkpoint
from latentcomp.train.optimisers import OPTIMISERS
from latentcomp.train.record import Start, TrialRecord

from . import tiny


def trained(lm, steps=2):
    torch.manual_seed(steps)
    model = tiny.spec_of(lm).build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        torch.stack([weight.square().sum() for weight in model.parameters()]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, optimizer


TRIAL = TrialRecord(
    recipe=tiny.RECIPE,
    seed=3,
    overrides={"optimiser.lr": 0.5},
    data={"kind": "store", "corpus_sha256": "c" * 64},
    start=Start(origin="fresh", seed=3),
    skipped=(1, 2),
)


@pytest.fixture
def saved(lm, tmp_path):
    """A saved checkpoint, its root, and what was saved."""
    model, optimizer = trained(lm)
    checkpoint.save_checkpoint(tmp_path, 7, model, [optimizer], TRIAL)
    return tmp_path


def error_of(path):
    with pytest.raises(CheckpointError) as caught:
        checkpoint.open_checkpoint(path)
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_weights_and_optimiser_come_back_exactly(lm, saved):
    model, optimizer = trained(lm)
    opened = checkpoint.open_checkpoint(saved)
    assert (opened.state.step, opened.state.trial) == (7, TRIAL)
    assert opened.state.spec == model.spec
    for name, tensor in opened.model().state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name
    other, blank = trained(lm, steps=1)
    opened.restore(other, [blank])
    for one, same in zip(other.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, same)
        mine, theirs = blank.state[one], optimizer.state[same]
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_checkpoint_can_be_named_by_its_own_folder(saved):
    inner = checkpoint.open_checkpoint(saved).folder
    assert checkpoint.open_checkpoint(inner).state == checkpoint.open_checkpoint(saved).state


def test_only_the_last_one_is_kept(lm, saved):
    model, optimizer = trained(lm)
    checkpoint.save_checkpoint(saved, 9, model, [optimizer], TRIAL)
    assert sorted(p.name for p in saved.iterdir()) == ["latest.json", "step-00000009"]
    assert checkpoint.open_checkpoint(saved).state.step == 9


def test_the_optimiser_may_be_left_out_but_then_nothing_goes_on(lm, tmp_path):
    model, optimizer = trained(lm)
    folder = checkpoint.save_checkpoint(tmp_path, 7, model, [], TRIAL)
    assert sorted(p.name for p in folder.iterdir()) == ["model.safetensors", "state.json"]
    opened = checkpoint.open_checkpoint(tmp_path)
    opened.model()
    with pytest.raises(CheckpointError, match="optimizer.safetensors is missing"):
        opened.restore(model, [optimizer])


DAMAGE = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "empty": lambda file: file.write_bytes(b""),
    "garbled": lambda file: file.write_bytes(bytes(b ^ 0x55 for b in file.read_bytes())),
    "missing": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    "name", ["latest.json", "state.json", "model.safetensors", "optimizer.safetensors"]
)
def test_damage_is_reported_in_one_line(saved, name, damage):
    (file,) = saved.rglob(name)
    DAMAGE[damage](file)
    text = error_of(saved)
    # Without latest.json nothing says that there ever was a checkpoint.
    expected = str(saved) if damage == "missing" and file.suffix == ".json" else str(file)
    assert expected in text


def test_one_wrong_bit_is_detected(saved):
    (file,) = saved.rglob("model.safetensors")
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    assert "damaged" in error_of(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": "many"}, "step"),
        ({"extra": 1}, "extra"),
        ({"spec": {}}, "spec"),
        ({"trial": {"recipe": {}}}, "trial"),
        ({"run": {"phase": {}}, "spec": {}}, "written by another version"),
        ({"run": {"phase": {"number": 4}}}, "written by another version"),
        ([], "no JSON object"),
    ],
)
def test_a_state_of_another_version(saved, change, words):
    (file,) = saved.rglob("state.json")
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | change if isinstance(change, dict) else change))
    assert words in error_of(saved)


@pytest.mark.parametrize("content", [[], {}, {"folder": "step-00000001"}, {"folder": None}, 3])
def test_a_latest_that_names_nothing(saved, content):
    (saved / "latest.json").write_text(json.dumps(content))
    assert str(saved) in error_of(saved)


def test_weights_of_another_shape(saved):
    """The hash fits, the spec does not."""
    (file,) = saved.rglob("state.json")
    content = json.loads(file.read_text())
    content["spec"]["config"]["width"] = 64
    file.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"model\.safetensors") as caught:
        checkpoint.open_checkpoint(saved).model()
    assert "\n" not in str(caught.value)


def test_an_error_at_any_write_leaves_the_last_checkpoint(lm, saved, monkeypatch):
    """`latest.json` names a whole folder, whichever write fails."""
    model, optimizer = trained(lm, steps=1)
    real = os.writev
    for allowed in range(6):
        left = iter(range(allowed))

        def failing(descriptor, parts, left=left):
            if next(left, None) is None:
                raise OSError(28, "No space left on device")
            return real(descriptor, parts)

        before = checkpoint.open_checkpoint(saved).state.step
        monkeypatch.setattr(os, "writev", failing)
        try:
            checkpoint.save_checkpoint(saved, 8 + allowed, model, [optimizer], TRIAL)
            whole = True
        except LatentcompError as error:
            whole = False
            assert "disk is full" in str(error)
        monkeypatch.setattr(os, "writev", real)
        opened = checkpoint.open_checkpoint(saved)
        assert opened.state.step == (8 + allowed if whole else before)
        opened.model()
    assert whole, "six writes must be enough for a checkpoint"


def test_only_safetensors_and_json(saved):
    opened = checkpoint.open_checkpoint(saved)
    assert {path.suffix for path in opened.folder.iterdir()} == {".safetensors", ".json"}
    for name, recorded in opened.state.sha256.items():
        assert atomic.file_sha256(opened.folder / name) == recorded
        assert all(tensor.isfinite().all() for tensor in load_file(opened.folder / name).values())


def test_a_checkpoint_that_does_not_say_what_trained_it(lm, tmp_path):
    """Those of versions before 0.2 that kept no phase open, and say so where it is needed."""
    checkpoint.save_checkpoint(tmp_path, 7, trained(lm)[0], [], None)
    state = checkpoint.open_checkpoint(tmp_path).state
    assert state.trial is None
    with pytest.raises(CheckpointError, match="does not say what it was trained by"):
        _ = state.known_trial


def test_several_optimisers_are_kept_in_one_file_and_told_apart(lm, tmp_path):
    """Weights of Muon and of AdamW, each with the state of its own optimiser."""
    settings = tiny.recipe(kind="muon").optimiser
    model, _ = trained(lm)
    both = OPTIMISERS["muon"](model, settings, False)
    torch.stack([weight.square().sum() for weight in model.parameters()]).sum().backward()
    for optimizer in both:
        optimizer.step()
    checkpoint.save_checkpoint(tmp_path, 7, model, both, TRIAL)
    other, _ = trained(lm, steps=1)
    blank = OPTIMISERS["muon"](other, settings, False)
    checkpoint.open_checkpoint(tmp_path).restore(other, blank)
    pairs = list(zip(other.parameters(), model.parameters(), strict=True))
    for one, kept in zip(blank, both, strict=True):
        assert len(one.state) == len(kept.state) > 0
        for weight, same in pairs:
            assert (weight in one.state) == (same in kept.state)
            for key, value in kept.state.get(same, {}).items():
                assert torch.equal(one.state[weight][key], value), key


def test_what_is_published_has_no_optimiser_and_the_same_weights(saved, tmp_path_factory):
    target = tmp_path_factory.mktemp("shipped")
    checkpoint.publish(saved, target)
    here, there = checkpoint.open_checkpoint(saved), checkpoint.open_checkpoint(target)
    assert sorted(path.name for path in there.folder.iterdir()) == [
        "model.safetensors",
        "state.json",
    ]
    assert there.state.trial == TRIAL
    assert there.state.sha256 == {checkpoint.MODEL: here.state.sha256[checkpoint.MODEL]}
