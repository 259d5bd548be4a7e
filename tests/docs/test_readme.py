"""What the README says is what the committed files say."""

import re
from pathlib import Path

import pytest

from latentcomp.errors import LatentcompError
from latentcomp.evaluate.report.readme import BEGIN, END, replace_block, results_block

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_results_are_those_of_the_committed_files():
    block = results_block(ROOT / "docs" / "results")
    assert replace_block(README, block) == README


def test_a_changed_figure_is_noticed():
    assert replace_block(README, "another figure") != README


def test_marks_are_needed():
    with pytest.raises(LatentcompError, match="marks"):
        replace_block("no marks here", "figure")


def test_files_that_are_named_exist():
    body = README.replace(BEGIN, "").replace(END, "")
    named = re.findall(r"`([\w./-]+/[\w.-]+\.(?:md|json|py|toml))`", body)
    named += re.findall(r"\]\(([\w./-]+)\)", body)
    assert named
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", README)) <= targets


def test_commands_that_are_named_exist():
    from latentcomp.cli import app

    callbacks = [command.callback for command in app.registered_commands]
    known = {function.__name__.replace("_", "-") for function in callbacks if function}
    known |= {str(group.name) for group in app.registered_groups}
    named = set(re.findall(r"(?:^|`)latentcomp ([a-z][a-z-]+)", README, re.MULTILINE))
    assert named
    assert named <= known
