"""`lab-models`: the stages of a training, and what it says where it cannot train."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from latentcomp.common.errors import LatentcompError
from latentcomp.lab import make as lab_models
from latentcomp.lab.make import STAGES, LabTraining
from latentcomp.lab.pretrain import SYLLABI


@pytest.fixture
def launched(monkeypatch):
    """Every training process that would be started, as (folder, options)."""
    calls: list[tuple[Path, dict[str, Any]]] = []
    monkeypatch.setattr(
        lab_models, "_launch", lambda name, folder, options: calls.append((folder, dict(options)))
    )
    return calls


def test_stages_follow_one_another_and_share_the_time(launched, tmp_path):
    lab_models._train("teacher", tmp_path, LabTraining(600, 0, 5, 10), 600.0)
    assert [options["syllabus"] for _, options in launched] == [stage.syllabus for stage in STAGES]
    assert sum(options["seconds"] for _, options in launched) == pytest.approx(600)
    assert len({options["seed"] for _, options in launched}) == len(STAGES)
    assert "after" not in launched[0][1]
    for (folder, _), (_, options) in zip(launched, launched[1:], strict=False):
        assert options["after"] == folder
    assert launched[-1][0] == tmp_path / "teacher"
    assert len({folder for folder, _ in launched}) == len(STAGES)


def test_a_first_stage_that_is_done_is_not_done_again(launched, tmp_path):
    recipe = LabTraining(200, 0, 0, 10, after="earlier")
    lab_models._train("teacher", tmp_path, recipe, 200.0)
    assert [options["syllabus"] for _, options in launched] == [
        stage.syllabus for stage in STAGES[1:]
    ]
    assert launched[0][1]["after"] == Path("earlier/teacher")
    assert sum(options["seconds"] for _, options in launched) == pytest.approx(200)


def test_every_stage_has_a_syllabus():
    assert {stage.syllabus for stage in STAGES} <= SYLLABI.keys()
    assert sum(stage.share for stage in STAGES) == pytest.approx(1)


def test_without_a_gpu_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LatentcompError, match="needs a CUDA GPU"):
        lab_models.train_lab_models(LabTraining(1, 1, 0, 2), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_measuring_what_ships(monkeypatch, tmp_path):
    """Figures with intervals, the bars beside them, and what the models were trained on."""
    monkeypatch.setitem(
        lab_models.SHIPPED_MODELS, "teacher", lab_models.SHIPPED_MODELS["student"]
    )  # faster
    told = []
    result = lab_models.measure_lab_models(
        {"teacher": lab_models.SHIPPED_MODELS["teacher"]},
        2,
        tmp_path / "figures.json",
        progress=lambda arm, documents: told.append((arm, documents)),
    )
    assert told == [("teacher, ceiling", 2), ("teacher, floor", 2)]
    assert json.loads((tmp_path / "figures.json").read_text()) == result
    teacher = result["models"]["teacher"]
    ceiling, floor = teacher["ceiling"]["accuracy"], teacher["floor"]["accuracy"]
    assert ceiling["low"] <= ceiling["point"] <= ceiling["high"]
    assert ceiling["n"] == sum(cell["n"] for cell in teacher["ceiling"]["by_family"].values())
    assert ceiling["clusters"] == result["held_out"]["documents"] == 2
    assert ceiling["point"] > floor["point"]
    met = ceiling["point"] >= result["bars"]["overall"] and all(
        cell["point"] >= result["bars"]["family"]
        for cell in teacher["ceiling"]["by_family"].values()
    )
    assert teacher["bars_met"] == met
    assert teacher["training"]["stages"]
