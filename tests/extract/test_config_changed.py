"""Everything that decides a state is in the identity; stores of before go on as they were."""

import json
import shutil

import pytest

from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models import files as model_files

from .command_line import contents, run_command
from .runs import options


@pytest.fixture
def own(teacher, tmp_path):
    """A copy of the teacher that may be changed."""
    return shutil.copytree(teacher, tmp_path / "tiny")


def edit(folder, **fields):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def interrupted(capsys, monkeypatch, teacher, run):
    """Begin a store and stop after a few batches."""
    original, calls = TransformersTeacher.queue, []

    def queue(self, documents, layers):
        calls.append(1)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return original(self, documents, layers)

    with monkeypatch.context() as patch:
        patch.setattr(TransformersTeacher, "queue", queue)
        assert run_command(capsys, *options(teacher, run)).code == 130
    return contents(run / "store")


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0}},
        pytest.param({"rms_norm_eps": 1e-2}, marks=pytest.mark.slow),
        pytest.param({"hidden_act": "gelu"}, marks=pytest.mark.slow),
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_config_edited_between_kill_and_resume_is_refused(
    capsys, monkeypatch, own, tmp_path, change
):
    run = tmp_path / "run"
    before = interrupted(capsys, monkeypatch, own, run)
    kept = (own / "config.json").read_bytes()
    edit(own, **change)
    error = run_command(capsys, *options(own, run)).error
    assert "config.json of 'tiny' is not the one that the store was begun with" in error
    assert contents(run / "store") == before
    (own / "config.json").write_bytes(kept)  # the next step that it names
    assert run_command(capsys, *options(own, run)).code == 0
    assert (run / "store" / "seal.json").exists()


def test_notes_in_a_config_may_change(capsys, monkeypatch, own, finished, tmp_path):
    run = tmp_path / "run"
    interrupted(capsys, monkeypatch, own, run)
    edit(own, transformers_version="6.0", _name_or_path="elsewhere")
    assert run_command(capsys, *options(own, run)).code == 0
    assert contents(run / "store") == contents(finished / "store")


def test_a_store_of_before_is_resumed_appended_and_verified(capsys, monkeypatch, own, tmp_path):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(model_files, "config_sha256", lambda _: None)
        interrupted(capsys, monkeypatch, own, run)
    manifest = (run / "store" / "manifest.json").read_bytes()
    assert b"config_sha256" not in manifest
    assert run_command(capsys, *options(own, run)).code == 0
    more = tmp_path / "more.jsonl"
    more.write_text(json.dumps({"document_id": "n", "chunks": [{"text": "Ana Bel", "day": 1}]}))
    arguments = ["store", "append", more, "--run", run, "--teacher", own]
    appended = run_command(capsys, *arguments)
    assert appended.code == 0, appended.err
    verified = run_command(
        capsys, "store", "verify", "--run", run, "--recompute", 3, "--teacher", own
    )
    assert verified.code == 0, verified.err
    assert b"config_sha256" not in (run / "store" / "manifest.json").read_bytes()


def test_verify_names_a_config_that_changed(capsys, own, tmp_path):
    run = tmp_path / "run"
    assert run_command(capsys, *options(own, run, documents=3)).code == 0
    edit(own, rms_norm_eps=1e-2)
    arguments = ["store", "verify", "--run", run, "--recompute", 1, "--teacher", own]
    assert "config_sha256" in run_command(capsys, *arguments).error
