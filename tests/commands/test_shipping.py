"""What `latentcomp ship` puts into the package: where, how large, and still the same compressor."""

import pytest
import torch
from safetensors import safe_open

from latentcomp.commands import shipping
from latentcomp.commands.shipping import ship_checkpoint
from latentcomp.common.atomic import file_sha256
from latentcomp.common.errors import CheckpointError
from latentcomp.compressor.model import ModelSpec
from latentcomp.experiment import shipped
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.models.sources import SOURCES
from latentcomp.train.checkpoint import open_checkpoint, save_checkpoint
from latentcomp.train.record import TrialRecord

from ..extract.command_line import run_command
from ..train import tiny

FETCHED = "smollm2-135m"
RECIPE = "mine"


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """Folder in place of the package's."""
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "lab" / "shipped")
    monkeypatch.setattr(shipped, "REAL", tmp_path / "lab" / "real")
    return tmp_path / "lab"


@pytest.fixture
def train(tmp_path):
    """A function: a run with a trial of a teacher of that name, and its checkpoint."""

    def trained(teacher, largest=1.0):
        identity = tiny.lm(4).identity.model_copy(update={"name": teacher})
        torch.manual_seed(0)
        model = ModelSpec.between(
            tiny.RECIPE.model, identity, tiny.layers(0, 3), identity, 1.0
        ).build()
        with torch.no_grad():
            next(model.parameters()).view(-1)[0] = largest
        run = RunFolder(tmp_path / "run")
        record = TrialRecord(recipe=tiny.RECIPE, seed=0)
        save_checkpoint(run.trial(RECIPE, 0).checkpoint, 5, model, [], record)
        return run.path, open_checkpoint(run.trial(RECIPE, 0).checkpoint)

    return trained


def weights(checkpoint):
    return checkpoint.folder / "model.safetensors"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_of_the_bytes_and_nearly_the_same_weights(train, package, dtype):
    run, trained = train(f"{FETCHED} (quantised Q4_1)")
    ship_checkpoint(run, RECIPE, 0, dtype)
    assert shipped.real_names() == (FETCHED,)
    made = open_checkpoint(package / "real" / FETCHED)
    half = weights(made).stat().st_size / weights(trained).stat().st_size
    assert half < 0.65
    with safe_open(weights(made), "pt") as file:
        assert file.metadata() == {"rounded_from": file_sha256(weights(trained))}
    loss = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    before = trained.model().state_dict()
    for name, value in made.model().state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, before[name], rtol=loss, atol=1e-7)
    assert any(not torch.equal(v, before[n]) for n, v in made.model().state_dict().items())


def test_float32_is_the_same_file_without_its_optimiser(train, package):
    run, trained = train("tiny")
    ship_checkpoint(run, RECIPE, 0)
    made = open_checkpoint(package / "shipped" / RECIPE)
    assert weights(made).read_bytes() == weights(trained).read_bytes()
    assert shipped.real_names() == (), "a model that cannot be fetched has no compressor by name"


def test_a_weight_that_float16_cannot_hold_is_refused(train, package):
    run, _ = train(FETCHED, largest=1e6)
    with pytest.raises(CheckpointError, match="too large for torch.float16; give --dtype bfloat16"):
        ship_checkpoint(run, RECIPE, 0, "float16")
    assert shipped.real_names() == ()


def test_what_a_package_has_no_room_for_is_refused(capsys, train, package, monkeypatch):
    assert FETCHED in SOURCES
    run, trained = train(FETCHED)
    monkeypatch.setattr(shipping, "MOST_BYTES", weights(trained).stat().st_size * 3 // 4)
    line = ("ship", "--run", run, "--recipe", RECIPE)
    assert "give --dtype float16, or train a narrower one" in run_command(capsys, *line).error
    assert not package.exists()
    done = run_command(capsys, *line, "--dtype", "float16")
    assert done.code == 0 and f"`latentcomp demo --teacher {FETCHED}`" in done.out
