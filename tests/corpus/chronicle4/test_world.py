"""The record of the world: what it asks, what is cheap, what a model answers; on a tiny model."""

import importlib.util
import json
from pathlib import Path

import pytest

from latentcomp.corpus.chronicle4.chronicle import chronicles
from latentcomp.corpus.chronicle4.records import recorded

from ...train import tiny

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def world():
    path = ROOT / "benchmarks" / "world.py"
    spec = importlib.util.spec_from_file_location("world", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_written_is_of_the_documents(world):
    made = list(chronicles("lab", "test", 3, 11))
    content = json.loads(json.dumps(world.measure(tiny.lm(4), made, 2, 0, 2)))
    documents = [recorded(each) for each in made]
    questions = [q for document in documents for q in document.questions]
    assert content["asks"]["questions"] == len(questions)
    assert content["asks"]["questions_that_need_days"] == pytest.approx(
        sum(bool(q.needs_days) for q in questions) / len(questions)
    )
    assert content["asks"]["held_out_families"] == ["holder"]
    read = content["teacher"]
    assert read["documents"] == 2
    assert read["overall"]["ceiling"]["n"] == sum(len(d.questions) for d in documents[:2])
    assert set(read["by_family"]) == set(content["asks"]["by_family"])
    cells = read["by_family_and_form"].values()
    assert sum(cell["ceiling"]["n"] for cell in cells) == read["overall"]["ceiling"]["n"]
    dearest = content["cheap"]["best_of_any_family"]["share"]
    families = [*content["cheap"]["readers"], *content["cheap"]["search"]]
    assert dearest == max(each["share"] for each in families if each["form"] == "all")
    assert content["cheap"]["holds"] == (dearest <= content["cheap"]["most_allowed"])
