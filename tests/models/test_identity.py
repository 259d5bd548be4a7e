"""A model is what is loaded of it: its identity holds everything that decides a state."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from latentcomp.common.errors import TeacherError
from latentcomp.models.files import identify_model, locate_model
from latentcomp.models.loading import load_causal_lm
from latentcomp.models.weights import config_sha256
from latentcomp.store.format.schema import ModelIdentity
from latentcomp.tools.tiny_checkpoint import save_tiny
from latentcomp.tools.tiny_models import MODELS

INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = next(model for model in MODELS if model.name == "llama")
    return save_tiny(model, tmp_path_factory.mktemp("saved") / "llama")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "llama")


def identity(folder):
    return identify_model(locate_model(str(folder)))


def loaded_norm(folder):
    return load_causal_lm(str(folder)).model.model.norm.weight


def stale_shard(folder, name="model-00001-of-00001.safetensors", value=7.0):
    """Other weights, and an index that names them."""
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = torch.full_like(tensors["model.norm.weight"], value)
    save_file(tensors, folder / name, metadata={"format": "pt"})
    weight_map = dict.fromkeys(tensors, name)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def test_a_stale_index_beside_the_weights_is_no_part_of_them(folder):
    before = identity(folder)
    stale_shard(folder)
    assert identity(folder) == before
    assert not torch.equal(loaded_norm(folder), torch.full((32,), 7.0))


def test_without_the_one_file_the_index_is_read_and_hashed(folder):
    before = identity(folder)
    stale_shard(folder)
    (folder / "model.safetensors").unlink()
    assert identity(folder).weights_sha256 != before.weights_sha256
    assert torch.equal(loaded_norm(folder), torch.full((32,), 7.0))


def test_a_config_may_name_its_weights(folder):
    before = identity(folder)
    stale_shard(folder, "other.safetensors")
    (folder / INDEX).unlink()
    config = json.loads((folder / "config.json").read_text())
    config["transformers_weights"] = "other.safetensors"
    (folder / "config.json").write_text(json.dumps(config))
    assert identity(folder).weights_sha256 != before.weights_sha256
    assert torch.equal(loaded_norm(folder), torch.full((32,), 7.0))


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", 3])
def test_an_index_that_leads_out_of_the_folder_is_refused(folder, name):
    (folder / "model.safetensors").unlink()
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(TeacherError, match="which is no file of that folder"):
        identity(folder)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
@pytest.mark.parametrize("use", [identity, loaded_norm])
def test_an_adapter_beside_the_weights_is_refused(folder, name, use):
    (folder / name).write_text("{}")
    with pytest.raises(TeacherError, match=f"{name} lies beside the weights"):
        use(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rope_theta", 5e5), ("rms_norm_eps", 1e-3), ("attention_bias", True), ("is_causal", False)],
)
def test_what_decides_a_state_is_in_the_identity(folder, name, value):
    before = identity(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, name: value}))
    after = identity(folder)
    assert after.weights_sha256 == before.weights_sha256
    assert after.config_sha256 != before.config_sha256


def test_what_decides_none_is_not(folder):
    config = json.loads((folder / "config.json").read_text())
    notes = {"transformers_version": "9", "_name_or_path": "/x", "dtype": "bfloat16"}
    text = {"text_config": {"transformers_version": "1", "hidden_size": 3}}
    assert config_sha256({**config, **notes}) == config_sha256(config)
    assert config_sha256(text) == config_sha256({"text_config": {"hidden_size": 3}})
    assert config_sha256({"time_step_limit": [0.0, float("inf")]})


def test_the_models_of_the_package_keep_the_identity_that_verdicts_name():
    lab = identify_model(locate_model("lab"))
    assert lab.config_sha256 is None
    assert "config_sha256" not in lab.model_dump(mode="json")


def test_an_identity_of_before_reads_and_writes_as_it_was(folder):
    new = identity(folder)
    old = {key: value for key, value in new.model_dump().items() if key != "config_sha256"}
    recorded = ModelIdentity.model_validate(old)
    assert recorded.model_dump() == old and json.loads(recorded.model_dump_json()) == old
    assert new.as_recorded(recorded) == recorded
    assert new.as_recorded(new) == new
