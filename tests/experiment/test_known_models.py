"""A run remembers where its models lie, and believes it only where the weights are the right."""

import shutil

import pytest

from latentcomp.common.errors import LatentcompError, TeacherError
from latentcomp.experiment.known_models import find_model, known_model, remember_model
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.models.files import identify_model, locate_model

from ..train import tiny


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return tiny.save_model(root / "mine", 1), tiny.save_model(root / "other", 1, seed=1)


def test_a_folder_that_was_given_is_found_again_from_anywhere(made, tmp_path, monkeypatch):
    run, identity = RunFolder(tmp_path / "run"), identify_model(locate_model(str(made[0])))
    assert known_model(run, identity) is None
    with pytest.raises(TeacherError, match="not known here; give --teacher with its folder"):
        find_model(run, identity, "teacher")
    monkeypatch.chdir(made[0].parent)
    remember_model(run, identity, "mine")
    monkeypatch.chdir(tmp_path)
    assert find_model(run, identity, "teacher") == (str(made[0]), None)


def test_other_weights_in_its_place_are_refused(made, tmp_path):
    own = shutil.copytree(made[0], tmp_path / "mine")
    run, identity = RunFolder(tmp_path / "run"), identify_model(locate_model(str(own)))
    remember_model(run, identity, str(own))
    shutil.copy(made[1] / "model.safetensors", own / "model.safetensors")
    with pytest.raises(TeacherError, match="other weights lie there now; give --reasoner"):
        find_model(run, identity, "reasoner")
    shutil.rmtree(own)
    assert known_model(run, identity) is None


def test_models_of_the_lab_need_no_record(tmp_path):
    run = RunFolder(tmp_path / "run")
    identity = identify_model(locate_model("lab"))
    remember_model(run, identity, "lab")
    assert not run.models.exists() and find_model(run, identity, "teacher") == ("lab", None)


def test_a_record_that_cannot_be_read_is_one_line(made, tmp_path):
    run = RunFolder(tmp_path)
    run.models.write_text("{")
    with pytest.raises(LatentcompError, match=r"models\.json: not readable as JSON"):
        known_model(run, identify_model(locate_model(str(made[0]))))
