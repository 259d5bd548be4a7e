"""Checkpoints as they come from hubs: cut while loading, whole in what is read; broken ones."""

import json
import shutil
from typing import Any, cast

import pytest
import torch
from transformers import AutoModelForCausalLM

from latentcomp.common.errors import TeacherError
from latentcomp.extract.teachers.loading import load_teacher
from latentcomp.extract.teachers.reading_mode import ReadingMode
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.layers import resolve_layers
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.info import describe

from . import tiny_models
from .command_line import contents, run_command

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}{% endfor %}"


def dense(tied):
    model = tiny_models.tiny_qwen3(5)
    if tied:
        model.config.tie_word_embeddings = True
        model.tie_weights()
    return model


def bf16(model: Any):
    return model.to(torch.bfloat16)


def blocks(lm):
    return len(cast(Any, lm.model).layers)


def embeddings(lm):
    return cast(torch.Tensor, lm.model.get_input_embeddings().weight)


KINDS = {
    "dense-tied-fp32": lambda: dense(True),
    "dense-untied-bf16": lambda: bf16(dense(False)),
    "moe-fp32": lambda: tiny_models.tiny_qwen3_moe(5),
    "moe-bf16": lambda: bf16(tiny_models.tiny_qwen3_moe(5)),
}


def save(model, folder, shards):
    tiny_models.save(model, folder, "40KB" if shards else "5GB")
    tokenizer = tiny_models.tiny_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    assert (len(list(folder.glob("*.safetensors"))) > 2) == shards
    return folder


@pytest.mark.parametrize("shards", [False, True], ids=["one-file", "sharded"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_is_what_the_whole_model_computes(capsys, tmp_path, kind, shards):
    folder = save(KINDS[kind](), tmp_path / "model", shards)
    arguments = ["extract", "--teacher", folder, "--run", tmp_path / "run", "--layers", "-2,-4"]
    arguments += ["--documents", 3, "--seed", 2, "--dtype", "float32", "--reading", "packed"]
    ran = run_command(capsys, *arguments, "--tokens-per-second", 1000)
    assert ran.code == 0, ran.err
    store = FeatureStore(tmp_path / "run" / "store")
    assert store.layers == (2, 4)
    whole = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for index in range(3):
        features = store.read(index)
        with torch.inference_mode():
            full = whole(features.token_ids[None], output_hidden_states=True).hidden_states
        for axis, depth in enumerate(store.layers):
            error = (features.states[:, axis] - full[depth][0]).norm() / full[depth].norm()
            assert error < 1e-5


@pytest.mark.parametrize("kind", ["dense-tied-fp32", "moe-fp32"])
def test_blocks_behind_the_deepest_layer_are_never_loaded(tmp_path, kind):
    folder = save(KINDS[kind](), tmp_path / "model", True)
    loaded = load_teacher(str(folder), resolve_layers([-3, -5], 5), dtype="float32", device="cpu")
    assert blocks(loaded) == 3
    assert not hasattr(loaded.model, "lm_head")
    assert loaded.identity.blocks == 5
    whole = load_teacher(str(folder), resolve_layers([-1], 5), dtype="float32", device="cpu")
    assert blocks(whole) == 5
    document = [list(range(5, 60))]
    layers = resolve_layers([-3], 5)
    cut, full = (TransformersTeacher(lm).states(document, layers)[0] for lm in (loaded, whole))
    assert torch.equal(cut, full)


def test_the_embeddings_alone(tmp_path):
    folder = save(KINDS["dense-tied-fp32"](), tmp_path / "model", False)
    layers = resolve_layers([-6], 5)
    loaded = load_teacher(str(folder), layers, dtype="float32", device="cpu")
    (states,) = TransformersTeacher(loaded, ReadingMode(packed=True)).states([[4, 9]], layers)
    assert torch.equal(states[:, 0], embeddings(loaded)[[4, 9]])


def test_random_weights_are_asked_for_and_said_so(tmp_path):
    """A folder with a config alone is no model, unless its weights shall be made up."""
    save(KINDS["moe-fp32"](), tmp_path / "whole", False)
    folder = tmp_path / "shape"
    folder.mkdir()
    shutil.copy(tmp_path / "whole" / "config.json", folder)
    layers = resolve_layers([-2], 5)
    with pytest.raises(TeacherError, match="is missing"):
        load_teacher(str(folder), layers, dtype="float32", device="cpu")
    made, again, other = (
        load_teacher(str(folder), layers, dtype="float32", device="cpu", random_weights_seed=seed)
        for seed in (3, 3, 4)
    )
    assert made.identity.name == "shape with random weights"
    assert "random weights of seed 3" in made.identity.weights_sha256
    assert made.identity == again.identity != other.identity
    assert blocks(made) == 4
    weight, same, different = (embeddings(lm) for lm in (made, again, other))
    assert torch.equal(weight, same)
    assert not torch.equal(weight, different)


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    return save(KINDS["dense-untied-bf16"](), tmp_path_factory.mktemp("model") / "m", True)


def truncate(folder):
    file = sorted(folder.glob("*.safetensors"))[1]
    file.write_bytes(file.read_bytes()[:-100])


def drop_shard(folder):
    sorted(folder.glob("*.safetensors"))[1].unlink()


def drop_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def fewer_blocks(folder):
    config = json.loads((folder / "config.json").read_text())
    config["num_hidden_layers"] = 2
    config.pop("layer_types", None)
    (folder / "config.json").write_text(json.dumps(config))


def no_tensor(folder):
    """The index still names the shard, but a tensor in it has another name."""
    from safetensors.torch import load_file, save_file

    for file in sorted(folder.glob("*.safetensors")):
        tensors = load_file(file)
        if "model.layers.0.mlp.up_proj.weight" in tensors:
            tensors["model.layers.0.mlp.gone"] = tensors.pop("model.layers.0.mlp.up_proj.weight")
            save_file(tensors, file, metadata={"format": "pt"})


BROKEN = {
    truncate: "is truncated or damaged",
    drop_shard: "is missing",
    drop_tokenizer: "tokenizer.json is missing",
    fewer_blocks: "layer -4 does not exist: the teacher has 2 blocks",
    no_tensor: "lack 1 tensors (first: ",
}


@pytest.mark.parametrize("damage", BROKEN, ids=lambda damage: damage.__name__)
def test_a_broken_checkpoint_is_one_line(capsys, sharded, tmp_path, damage):
    folder = tmp_path / "model"
    shutil.copytree(sharded, folder)
    damage(folder)
    run = tmp_path / "run"
    arguments = ["extract", "--teacher", folder, "--run", run, "--documents", 2]
    ran = run_command(capsys, *arguments, "--layers", "-2,-4")
    assert BROKEN[damage] in ran.error
    assert not (run / "store").exists()


def test_a_revision_that_is_not_there(capsys, monkeypatch, tmp_path):
    """The hub is asked for the very commit, and what it says is passed on in one line."""
    import huggingface_hub

    asked = []

    def refuse(name, *, revision, **_options):
        asked.append((name, revision))
        raise OSError(f"404: revision {revision} not found")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    ran = run_command(
        capsys, "extract", "--teacher", "some/model", "--revision", "badc0ffee",
        "--run", tmp_path / "run",
    )  # fmt: skip
    assert "some/model" in ran.error and "revision badc0ffee not found" in ran.error
    assert asked == [("some/model", "badc0ffee")]


@pytest.mark.slow
def test_another_weight_file_under_a_store(capsys, sharded, tmp_path):
    """A checkpoint that changed since the store was begun is another teacher."""
    run, other = tmp_path / "run", tmp_path / "m"
    arguments = ["extract", "--run", run, "--documents", 2, "--layers", "-2"]
    assert run_command(capsys, *arguments, "--teacher", sharded).code == 0
    before = contents(run / "store")
    save(bf16(tiny_models.tiny_qwen3(5, seed=9)), other, True)
    assert "teacher.weights_sha256" in run_command(capsys, *arguments, "--teacher", other).error
    assert contents(run / "store") == before


def test_out_of_memory_midway(capsys, monkeypatch, sharded, tmp_path):
    """One line, and what was committed stays: a smaller batch is another request, so the same
    one goes on once there is memory."""
    run = tmp_path / "run"
    arguments = ["extract", "--teacher", sharded, "--run", run, "--documents", 60, "--seed", 5]
    arguments += ["--layers", "-2,-4", "--batch-tokens", 1500, "--tokens-per-second", 1000]
    original, calls = TransformersTeacher._read, []

    def full(self, *args, **kwargs):
        calls.append(1)
        if len(calls) > 30:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(TransformersTeacher, "_read", full)
        ran = run_command(capsys, *arguments)
    assert "does not fit into the memory of cpu; free some and run again, or begin" in ran.error
    kept = contents(run / "store" / "states")
    assert 0 < describe(run / "store").committed_shards < 8
    ran = run_command(capsys, *arguments)
    assert ran.code == 0
    after = contents(run / "store" / "states")
    assert all(after[name] == data for name, data in kept.items())
