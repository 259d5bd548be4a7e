"""The table of models in the docs is that of the record, and the record is of all models."""

import json

import pytest

from latentcomp.tools import check_models
from latentcomp.tools.tiny_models import MODELS


@pytest.fixture(scope="module")
def record():
    return json.loads(check_models.RESULT.read_bytes())


def test_the_page_is_made_from_the_record(record):
    text = check_models.PAGE.read_text()
    assert check_models.page(record, text) == text


def test_every_model_is_equal_or_refused(record):
    assert [row["name"] for row in record["models"]] == [model.name for model in MODELS]
    assert len({row["class"] for row in record["models"]}) >= 40
    for row in record["models"]:
        for way in row["ways"].values():
            assert way["verdict"] in (check_models.EQUAL, check_models.REFUSED), row
            assert way.get("error", 0) < record["bound"] and "\n" not in way.get("message", "")


KINDS = (
    *("sliding", "alternating", "latent", "experts", "recurrence", "state space", "bidirectional"),
    *("longrope", "yarn", "learned", "scaled", "soft caps", "no positions", "vision"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_reading_is_there(kind):
    assert any(kind in model.kind for model in MODELS)


def test_a_fault_is_called_wrong(tmp_path, monkeypatch):
    """Without the self-test, and with a fault of the real path."""
    from latentcomp.extract import self_test
    from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher

    original = TransformersTeacher._read

    def read(self, token_ids_BT, layers, **more):
        return [1.01 * state for state in original(self, token_ids_BT, layers, **more)]

    monkeypatch.setattr(TransformersTeacher, "_read", read)
    monkeypatch.setattr(check_models, "WAYS", {"cut, padded": ("-2,-4", "padded")})
    refused = check_models.check(MODELS[0], tmp_path / "refused")
    assert refused["verdict"] == check_models.REFUSED
    monkeypatch.setattr(self_test, "agree", lambda *_, **__: ((), None))
    wrong = check_models.check(MODELS[0], tmp_path / "wrong")
    assert wrong["verdict"] == check_models.WRONG
    monkeypatch.setattr(self_test, "agree", None)
    assert check_models.check(MODELS[0], tmp_path / "x")["verdict"] == check_models.TRACEBACK


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_each_model_is_read_as_the_record_says(tmp_path, record, model):
    row = next(row for row in record["models"] if row["name"] == model.name)
    ways = check_models.check(model, tmp_path)["ways"]
    assert {way: one["verdict"] for way, one in ways.items()} == {
        way: one["verdict"] for way, one in row["ways"].items()
    }
