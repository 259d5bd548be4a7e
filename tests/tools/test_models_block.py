"""The block of the lab models: one teacher in its files, and what is short of a bar is said."""

import json
from pathlib import Path

import pytest

from latentcomp.models.files import identify_model, locate_model
from latentcomp.tools.models_block import LONG, STUDENT, TEACHER, models_block

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def copied(folder):
    """The committed files, to be changed."""
    for name in (TEACHER, STUDENT, LONG):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text((RESULTS / name).read_text())
    return folder


def change(file, path, value):
    record = json.loads(file.read_text())
    part = record
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    file.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("file", "key", "name"),
    [
        (TEACHER, "lab", "lab"),
        (LONG, "lab", "lab"),
        (STUDENT, "lab-student", "lab-student"),
    ],
)
def test_what_is_quoted_was_measured_with_the_weights_that_ship(file, key, name):
    measured = json.loads((RESULTS / file).read_text())["models"][key]["identity"]
    assert measured["weights_sha256"] == identify_model(locate_model(name)).weights_sha256


@pytest.mark.parametrize(("met", "words"), [(True, "over the bar"), (False, "short of the bar")])
def test_long_documents_are_held_against_their_bar(tmp_path, met, words):
    results = copied(tmp_path)
    change(results / LONG, ("models", "lab", "bars_met"), met)
    assert words in models_block(results)


def test_a_family_that_few_documents_ask_for_is_a_dash(tmp_path):
    results = copied(tmp_path)
    change(results / STUDENT, ("models", "lab-student", "ceiling", "by_family"), {})
    fact = next(line for line in models_block(results).splitlines() if line.startswith("| fact |"))
    assert fact.split(" | ")[2] == "–"
