"""Models are found by name, tied to their hashes, and refused in one line when unusable."""

import hashlib
import json
import shutil
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from latentcomp.common.errors import TeacherError
from latentcomp.models import files as model_files
from latentcomp.models.files import identify_model, locate_model
from latentcomp.models.loading import (
    PLAIN_QUESTION,
    PromptTemplate,
    load_causal_lm,
    load_text_side,
    resolve_device,
)
from latentcomp.models.names import lab_name, shown_name
from latentcomp.models.weights import config_sha256

from .extract import tiny_models


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return tiny_models.save(tiny_models.tiny_qwen3(4), tmp_path_factory.mktemp("saved") / "tiny")


@pytest.fixture
def folder(saved, tmp_path):
    """A copy to damage."""
    return shutil.copytree(saved, tmp_path / "tiny")


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_loaded_frozen_and_ready(folder):
    lm = load_causal_lm(str(folder), dtype="bfloat16")
    assert not lm.model.training
    assert not any(weight.requires_grad for weight in lm.model.parameters())
    assert {weight.dtype for weight in lm.model.parameters()} == {torch.bfloat16}
    assert lm.device == torch.device("cpu")
    assert lm.decode([*lm.encode("Ana Bel"), lm.eos_token_id]) == "Ana Bel"


def test_identity_is_that_of_the_files(folder):
    identity = load_text_side(str(folder)).identity
    weights = (folder / "model.safetensors").read_bytes()
    assert identity.model_dump() == {
        "name": "tiny",
        "revision": None,
        "architecture": "Qwen3ForCausalLM",
        "blocks": 4,
        "hidden_size": 32,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "tokenizer_sha256": hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest(),
        "config_sha256": config_sha256(json.loads((folder / "config.json").read_text())),
    }


def test_identity_follows_the_weights(folder):
    before = load_causal_lm(str(folder)).identity
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] += 1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    after = load_causal_lm(str(folder)).identity
    assert after.weights_sha256 != before.weights_sha256
    assert after.tokenizer_sha256 == before.tokenizer_sha256


def test_sharded_weights(tmp_path):
    folder = tiny_models.save(tiny_models.tiny_qwen3(4), tmp_path / "m", shard_size="40KB")
    files = locate_model(str(folder)).weights
    assert len(files) > 2
    assert list(files) == sorted(files)
    whole = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert load_causal_lm(str(folder)).identity.weights_sha256 == whole
    files[1].unlink()
    with pytest.raises(TeacherError, match=f"{files[1].name} is missing"):
        load_causal_lm(str(folder))


def test_plain_prompt(folder):
    prompt = load_text_side(str(folder)).prompt
    assert prompt == PromptTemplate(
        "<|endoftext|>", PLAIN_QUESTION, "\nSummary in {budget} tokens:"
    )
    assert prompt.ask("Why {budget}?") == "\nQuestion: Why {budget}?\nAnswer:"
    assert prompt.summarise(96) == "\nSummary in 96 tokens:"


def test_notes_of_the_checkpoint(folder):
    pieces = {"head": "", "question": "{question}", "summary": "{budget}", "notes": "N {summary}"}
    (folder / "latentcomp.json").write_text(json.dumps({"prompt": pieces}))
    assert load_text_side(str(folder)).prompt.instead("a; b") == "N a; b"
    pieces["notes"] = "no place for it"
    (folder / "latentcomp.json").write_text(json.dumps({"prompt": pieces}))
    with pytest.raises(TeacherError, match="notes"):
        load_text_side(str(folder))


def test_prompt_of_the_checkpoint(folder):
    pieces = {"head": "<|endoftext|>", "question": " Q {question} A", "summary": " S{budget}"}
    (folder / "latentcomp.json").write_text(json.dumps({"prompt": pieces, "trained": "here"}))
    assert load_text_side(str(folder)).prompt == PromptTemplate(**pieces)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "expected a JSON object"),
        ("{}", "exactly the keys head, question, summary"),
        ('{"prompt": {"head": "", "question": "{question}"}}', "exactly the keys"),
        ('{"prompt": {"head": "", "question": "?", "summary": "{budget}"}}', "prompt.question"),
        ('{"prompt": {"head": 3, "question": "{question}", "summary": "{budget}"}}', "prompt.head"),
    ],
)
def test_bad_prompt_files(folder, content, says):
    (folder / "latentcomp.json").write_text(content)
    with pytest.raises(TeacherError, match=says) as caught:
        load_causal_lm(str(folder))
    assert "latentcomp.json" in one_line(caught)


def truncate(path, keep=0.7):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def wrong_length_of_header(path):
    path.write_bytes(struct.pack("<Q", 1 << 60) + path.read_bytes()[8:])


def drop_a_tensor(path):
    tensors = load_file(path)
    del tensors["model.layers.2.mlp.up_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})


def reshape_a_tensor(path):
    tensors = load_file(path)
    tensors["model.norm.weight"] = torch.ones(7)
    save_file(tensors, path, metadata={"format": "pt"})


def garble_the_index(path):
    """Where there is one file of weights nobody reads an index."""
    path.rename(path.with_name("model-00001-of-00001.safetensors"))
    path.with_suffix(".safetensors.index.json").write_text("{")


def config_with(**changes):
    def change(path):
        config = path.parent / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | changes))

    return change


DAMAGES = {
    "truncated weights": (truncate, "model.safetensors .* is truncated or damaged"),
    "cut in the header": (lambda p: truncate(p, 0.01), "is truncated or damaged"),
    "empty weights": (lambda p: p.write_bytes(b""), "is truncated or damaged"),
    "text instead of weights": (lambda p: p.write_text("hello " * 50), "truncated or damaged"),
    "absurd header": (wrong_length_of_header, "is truncated or damaged"),
    "no weights": (lambda p: p.unlink(), "model.safetensors is missing"),
    "a tensor less": (drop_a_tensor, "lack 1 tensors .*up_proj"),
    "another shape": (reshape_a_tensor, "cannot be loaded"),
    "no config": (lambda p: (p.parent / "config.json").unlink(), "config.json cannot be used"),
    "garbled config": (lambda p: (p.parent / "config.json").write_text("{"), "cannot be used"),
    "unknown architecture": (config_with(model_type="nosuch"), "config.json cannot be used"),
    "more blocks": (
        config_with(num_hidden_layers=5, layer_types=["full_attention"] * 5),
        "lack .* tensors .*layers.4",
    ),
    "blocks without a type": (config_with(num_hidden_layers=5), "config.json cannot be used"),
    "no tokenizer": (lambda p: (p.parent / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "garbled tokenizer": (
        lambda p: (p.parent / "tokenizer.json").write_text("{}"),
        "tokenizer.json cannot be used",
    ),
    "garbled index": (
        garble_the_index,
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("damage", "says"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_one_line(folder, damage, says):
    damage(folder / "model.safetensors")
    with pytest.raises(TeacherError, match=says) as caught:
        load_causal_lm(str(folder))
    assert "tiny" in one_line(caught)


def test_code_of_a_checkpoint_is_never_run(folder):
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    config_with(
        model_type="evil", auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.M"}
    )(folder / "model.safetensors")
    with pytest.raises(TeacherError, match=r"config\.json cannot be used"):
        load_causal_lm(str(folder))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c", "", "~nobody/x", "-x"])
def test_a_missing_folder(name):
    with pytest.raises(TeacherError, match="is no folder") as caught:
        load_causal_lm(name)
    assert repr(name) in one_line(caught)


def test_a_file_is_no_folder(folder):
    with pytest.raises(TeacherError, match="is no folder"):
        load_causal_lm(str(folder / "model.safetensors"))


def test_a_hub_id_without_network(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(TeacherError, match="cannot be had from the hub") as caught:
        load_causal_lm("nobody/no-such-model")
    assert "'nobody/no-such-model'" in one_line(caught)


def test_a_hub_model_is_known_by_its_commit(monkeypatch, folder):
    commit = folder.rename(folder.with_name("0123abcd"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(commit))
    identity = load_text_side("somebody/tiny", revision="main").identity
    assert (identity.name, identity.revision) == ("somebody/tiny", "0123abcd")


@pytest.mark.parametrize("name", ["lab", "lab-student"])
def test_the_packaged_models_have_their_names(monkeypatch, folder, tmp_path, name):
    monkeypatch.setitem(model_files.LAB_FOLDERS, name, folder)
    assert load_text_side(name).identity.name == name
    monkeypatch.setitem(model_files.LAB_FOLDERS, name, tmp_path / "absent")
    with pytest.raises(TeacherError, match="install latentcomp again"):
        load_causal_lm(name)


@pytest.mark.parametrize("name", model_files.HISTORY)
def test_the_models_of_generator_3_are_known_where_they_do_not_lie(monkeypatch, tmp_path, name):
    """In a checkout by their files, from a wheel by what was recorded of them."""
    recorded = identify_model(locate_model(name))
    assert recorded.weights_sha256 == model_files.HISTORY[name]
    of_its_time = recorded.model_copy(update={"name": "lab"})
    assert shown_name(recorded) == shown_name(of_its_time) == name
    monkeypatch.setitem(model_files.LAB_FOLDERS, name, tmp_path / "absent")
    assert lab_name(of_its_time) == name
    with pytest.raises(TeacherError, match="not installed") as caught:
        load_causal_lm(name)
    assert "checkout of its repository" in one_line(caught)


def test_the_name_of_earlier_names_the_new_one():
    with pytest.raises(TeacherError, match=r"'lab4' is 'lab' by now; give that name") as caught:
        load_causal_lm("lab4")
    one_line(caught)


@pytest.mark.parametrize("device", ["nosuch", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(TeacherError, match="cannot be used") as caught:
        resolve_device(device)
    assert repr(device) in one_line(caught)


def test_an_unknown_dtype(folder):
    with pytest.raises(TeacherError, match="dtype 'int8' is unknown"):
        load_causal_lm(str(folder), dtype="int8")


def test_damage_is_seen_although_the_hash_is_kept(folder):
    identify_model(locate_model(str(folder)))
    truncate(folder / "model.safetensors")
    with pytest.raises(TeacherError, match="truncated"):
        identify_model(locate_model(str(folder)))


def test_weights_are_what_the_file_holds(folder):
    model = load_causal_lm(str(folder)).model
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        stored = file.get_tensor("model.layers.3.mlp.up_proj.weight")
    assert torch.equal(model.model.layers[3].mlp.up_proj.weight, stored)
