"""The block of the world: every family and form of its file, and what is undefined as a dash."""

import json

import pytest

from latentcomp.models.files import HISTORY
from latentcomp.tools.world_block import WORLD, world_block, world_line


def interval(point):
    return {"point": point, "low": point, "high": point, "n": 4, "clusters": 2}


def arms(ceiling, floor=0.1):
    return {"ceiling": interval(ceiling), "undated": interval(0.5), "floor": interval(floor)}


def price(family, form, share, reader="two bags"):
    figures = {"questions": 4, "floor": 0.1, "right": 0.2, "low": 0.0, "high": 0.7}
    return {"family": family, "form": form, "reader": reader, "share": share, **figures}


@pytest.fixture
def results(tmp_path):
    """A folder with a small file of the world."""
    readers = [
        price(family, form, share)
        for family, form, share in (
            ("fact", "all", 0.2), ("fact", "name", 0.25),
            ("when", "all", 0.61), ("when", "name", 0.4),
        )
    ]  # fmt: skip
    record = {
        "generator": 4,
        "split": "test",
        "seed": 7,
        "asks": {
            "documents": 2,
            "questions": 8,
            "chunks_without_a_day": 0.5,
            "questions_that_need_days": 0.25,
            "by_family": {name: {"questions": 4} for name in ("fact", "when")},
        },
        "cheap": {
            "most_allowed": 0.6,
            "holds": False,
            "best_of_any_family": readers[2],
            "readers": readers,
            "search": [price(name, "all", 0.3, "search") for name in ("fact", "when")],
        },
        "teacher": {
            "identity": {"weights_sha256": HISTORY["lab3"]},
            "documents": 2,
            "overall": arms(0.97),
            "by_family": {"fact": arms(0.99), "when": arms(0.91, None)},
            "by_form": {"name": arms(0.96)},
            "worth_of_the_days": interval(0.3),
        },
    }
    (tmp_path / WORLD).write_text(json.dumps(record))
    return tmp_path


def test_every_family_and_form_has_a_row(results):
    lines = world_block(results).splitlines()
    assert "(teacher `lab3`, generator 3; 2 documents" in lines[0]
    rows = [line.split(" | ") for line in lines if line.startswith(("| `", "| **", "| name"))]
    assert [row[0] for row in rows] == ["| `fact`", "| `when`", "| **all**", "| name"]
    assert {len(row) for row in rows[:3]} == {8}, "as many cells as the head"
    assert rows[1][4] == "–", "undefined"
    assert rows[3][-1].startswith("0.40") and "`when`" in rows[3][-1], "where it goes furthest"
    assert "a family is above it" in lines[-1]


def test_the_paragraph_names_the_lowest_family_and_the_best_cheap_reader(results):
    line = world_line(results)
    assert "0.910 in its lowest family, `when`" in line
    assert "0.61 [0.00, 0.70] of the way" in line and "by two bags" in line
    assert "nothing of natural language" in line
