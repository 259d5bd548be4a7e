"""`lab-models`: the stages of a training, and what it says where it cannot train."""

import argparse
import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from latentcomp.common.errors import LatentcompError
from latentcomp.lab import make as lab
from latentcomp.lab import pretrain
from latentcomp.lab.architecture import LAB_MODELS
from latentcomp.lab.curriculum import LESSONS, SYLLABI
from latentcomp.lab.make import STAGES, LabTraining

Launch = tuple[str, Path, dict[str, Any]]


@pytest.fixture
def launched(monkeypatch):
    """Every training process that would be started, as (model, folder, options)."""
    calls: list[Launch] = []
    monkeypatch.setattr(
        lab, "_launch", lambda name, folder, options: calls.append((name, folder, dict(options)))
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(lab, "measure_lab_models", lambda folders, *_, **__: dict(folders))
    return calls


def done(folder, stages):
    """A model folder that says how many stages are behind it."""
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(json.dumps({"stages": [{}] * stages}))
    return folder.parent


def train(out, **changes):
    recipe: dict[str, Any] = {"teacher_seconds": 600, "student_seconds": 0, "seed": 5} | changes
    return lab.train_lab_models(LabTraining(documents=10, **recipe), ["lab"], out)


def test_stages_follow_one_another_and_share_the_time(launched, tmp_path):
    assert train(tmp_path) == {"teacher": tmp_path / "teacher"}
    options = [given for _, _, given in launched]
    for stage, given in zip(STAGES["teacher"], options, strict=True):
        assert given["seconds"] == pytest.approx(600 * stage.share)
        assert (given["blocks"], given["matrix-rate"]) == (stage.blocks, stage.matrix_rate)
        assert (given["lessons"], given["syllabus"]) == (stage.lessons, stage.syllabus)
    assert "after" not in options[0]
    for (_, folder, _), (_, _, later) in pairwise(launched):
        assert later["after"] == folder
    assert launched[-1][1] == tmp_path / "teacher"
    assert len({folder for _, folder, _ in launched}) == len(STAGES["teacher"])


def test_no_stage_reads_the_documents_of_another(launched, tmp_path):
    train(tmp_path, student_seconds=60)
    assert len(launched) == sum(map(len, STAGES.values()))
    assert len({given["seed"] for _, _, given in launched}) == len(launched)
    assert min(given["seed"] for _, _, given in launched) == 5


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_stages_that_are_done_are_not_done_again(launched, tmp_path, stages):
    """As many as the model's own record has; the rest gets all the time."""
    after = done(tmp_path / "earlier" / "teacher", stages)
    train(tmp_path / "out", after=str(after))
    left = STAGES["teacher"][stages:]
    assert [given["syllabus"] for _, _, given in launched] == [stage.syllabus for stage in left]
    assert [given["blocks"] for _, _, given in launched] == [stage.blocks for stage in left]
    assert launched[0][2]["after"] == after / "teacher"
    assert sum(given["seconds"] for _, _, given in launched) == pytest.approx(600)
    assert launched[-1][1] == tmp_path / "out" / "teacher"


def test_a_model_with_all_its_stages_is_not_trained_on(launched, tmp_path):
    after = done(tmp_path / "earlier" / "teacher", len(STAGES["teacher"]))
    count = len(STAGES["teacher"])
    with pytest.raises(LatentcompError, match=f"{count} stages are done.*--teacher-seconds 0"):
        train(tmp_path / "out", after=str(after))
    assert not launched


def test_a_student_has_the_tokens_of_its_teacher(launched, tmp_path):
    """Of the one that was just trained, or of the one whose first stages are done."""
    train(tmp_path, student_seconds=60)
    first = launched[-len(STAGES["student"])]
    assert first[0] == "student"
    assert first[2]["tokenizer"] == tmp_path / "teacher"
    after = done(tmp_path / "earlier" / "teacher", 3)
    train(tmp_path / "out", teacher_seconds=0, student_seconds=60, after=str(after))
    first = launched[-len(STAGES["student"])]
    assert first[2]["tokenizer"] == after / "teacher"
    assert "after" not in first[2], "a student that is not there is trained from nothing"
    train(tmp_path / "out", teacher_seconds=0, student_seconds=60)
    first = launched[-len(STAGES["student"])]
    assert "tokenizer" not in first[2], "there is no teacher: the one of the package"


def test_the_stages_are_what_a_training_can_do(monkeypatch, tmp_path):
    """What is launched is understood by the training process, and grows evenly."""
    commands: list[list[str]] = []

    def run(command, check):
        commands.append(command[command.index("latentcomp.lab.pretrain") + 1 :])
        return argparse.Namespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    recipe = LabTraining(600, 60, 5, 10)
    for name, stages in STAGES.items():
        assert sum(stage.share for stage in stages) == pytest.approx(1)
        assert {stage.lessons for stage in stages} <= LESSONS.keys()
        assert {stage.syllabus for stage in stages} <= SYLLABI.keys()
        assert all(later.blocks % stage.blocks == 0 for stage, later in pairwise(stages))
        assert stages[-1].blocks == LAB_MODELS[name].blocks
        lab._train(name, stages, tmp_path, recipe, 100.0)
    plans = []
    for command in commands:
        monkeypatch.setattr("sys.argv", ["pretrain", *command])
        plans.append(pretrain._parse_arguments()[0])
    wanted = [stage for stages in STAGES.values() for stage in stages]
    assert [plan.shape.blocks for plan in plans] == [stage.blocks for stage in wanted]
    assert [plan.matrix_rate for plan in plans] == [stage.matrix_rate for stage in wanted]
    assert [plan.lessons for plan in plans] == [stage.lessons for stage in wanted]
    student = plans[len(STAGES["teacher"])]
    assert student.tokenizer == str(tmp_path / "teacher")


def test_a_training_that_fails_says_so(monkeypatch, tmp_path):
    failed = argparse.Namespace(returncode=3)
    monkeypatch.setattr(subprocess, "run", lambda command, check: failed)
    with pytest.raises(LatentcompError, match="training the lab teacher failed with exit code 3"):
        lab._train("teacher", STAGES["teacher"], tmp_path, LabTraining(1, 1, 0, 2), 1.0)


def test_without_a_gpu_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LatentcompError, match="needs a CUDA GPU"):
        train(tmp_path / "out")
    assert not (tmp_path / "out").exists()
