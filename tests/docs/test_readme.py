"""What the README says is what the committed files say."""

import json
import re
from pathlib import Path

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.tools import layout
from latentcomp.tools.readme import BLOCKS, Block, written
from latentcomp.tools.terminal import record, terminal_block

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
NOT_YET: dict[str, set[str]] = {}
"""Files that a page names before they are there. Only to be shortened."""


def test_what_is_quoted_is_what_the_committed_files_say():
    assert written(README, ROOT / "docs" / "results") == README


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_changed_figure_is_noticed(block):
    assert block.replace(README, "another figure") != README


def test_marks_are_needed():
    with pytest.raises(LatentcompError, match="marks"):
        Block("some", str).replace("no marks here", "figure")


def test_a_terminal_is_quoted_as_it_ended(tmp_path):
    """Of what a progress bar drew over, the last; colours and trailing blanks go."""
    shown = tmp_path / "shown.txt"
    shown.write_bytes(b"\x1b[1mbold\x1b[0m  \r\n 10 %\r 50 %\r100 %\nend\n")
    assert terminal_block(shown) == "```\nbold\n100 %\nend\n```"
    with pytest.raises(LatentcompError, match="missing"):
        terminal_block(tmp_path / "nothing.txt")


def test_a_terminal_is_kept_with_where_it_was_run(tmp_path):
    told = ["sh", "-c", "echo one; echo two >&2; echo three"]
    assert record(tmp_path / "all", told) == 0
    assert (tmp_path / "all.txt").read_text() == "one\ntwo\nthree\n"
    assert record(tmp_path / "end", told, last=1) == 0
    assert (tmp_path / "end.txt").read_text() == "three\n"
    kept = json.loads((tmp_path / "end.json").read_text())
    assert kept["command"] == told and kept["provenance"]["hardware"]["cores"] >= 1


def test_a_command_that_fails_is_not_kept(tmp_path):
    assert record(tmp_path / "failed", ["sh", "-c", "exit 3"]) == 3
    with pytest.raises(LatentcompError, match="cannot be run"):
        record(tmp_path / "failed", ["no-such-program"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["demo", "test"])
def test_every_terminal_that_is_quoted_says_where_it_was_run(name):
    kept = json.loads((ROOT / "docs" / "results" / "terminal" / f"{name}.json").read_text())
    assert kept["command"] == ["make", name]
    assert kept["provenance"]["git_commit"] and not kept["provenance"]["git_dirty"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_files_that_are_named_exist(page):
    text = (ROOT / page).read_text()
    named = set(re.findall(r"`([\w./-]+/(?:[\w.-]+\.(?:md|json|py|toml))?)`", text))
    named |= set(re.findall(r"\]\(([\w./-]+)\)", text))
    assert named
    missing = {name for name in named if not (ROOT / name).exists()}
    assert missing <= NOT_YET.get(page, set())


def test_every_folder_of_the_package_is_in_the_table_of_places():
    table = README[README.index("| place | what |") :]
    listed = re.findall(r"^\|(.+?)\|", table, re.MULTILINE)
    places = set(re.findall(r"`(\w+)/`", " ".join(listed)))
    assert set(layout.folders(ROOT)) - places == set()


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
