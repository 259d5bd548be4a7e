"""What README and pages say is what the committed files say, and what they name is there."""

import json
import re
from pathlib import Path

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.tools import layout
from latentcomp.tools.figures import FIGURES
from latentcomp.tools.readme import BLOCKS, PAGES, Block, written
from latentcomp.tools.terminal import record, terminal_block

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
USERS = ["README.md", *(f"docs/{name}.md" for name in (
    "findings", "try", "own", "real_model", "python", "reading", "ladder", "big", "faq", "compared",
    "walk",
))]  # fmt: skip
"""Pages for those who use it."""
MISTYPED = {"trian", "0.2.0"}
"""Of the walk: a slip, and what `--version` prints."""
NOT_YET: dict[str, set[str]] = {}
"""Files that a page names before they are there. Only to be shortened."""


@pytest.mark.parametrize("page", PAGES)
def test_what_is_quoted_is_what_the_committed_files_say(page):
    assert written(page, TEXTS[page], ROOT / "docs" / "results") == TEXTS[page]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_what_the_committed_files_say(name):
    made = FIGURES[name](ROOT / "docs" / "results")
    assert (ROOT / "docs" / "figures" / name).read_text() == made, (
        "run `python -m latentcomp.tools.figures`"
    )


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_changed_figure_is_noticed(block):
    assert block.replace(TEXTS[block.page], "another figure") != TEXTS[block.page]


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


@pytest.mark.parametrize("page", [*USERS, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_files_that_are_named_exist(page):
    text = (ROOT / page).read_text()
    named = set(re.findall(r"`([\w./-]+/(?:[\w.-]+\.(?:md|json|py|toml))?)`", text))
    missing = {name for name in named if not (ROOT / name).exists()}
    missing -= {name for name in missing if name.startswith(("runs/", "trials/", "build/"))}
    assert missing <= NOT_YET.get(page, set())


def test_every_folder_of_the_package_is_in_the_table_of_places():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text[text.index("| place | what |") :]
    listed = re.findall(r"^\|(.+?)\|", table, re.MULTILINE)
    places = set(re.findall(r"`(\w+)/`", " ".join(listed)))
    assert set(layout.folders(ROOT)) - places == set()


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in USERS:
        text = (ROOT / page).read_text()
        assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets, page


def known_commands():
    """`extract` -> its option names; groups by `store info` too."""
    from typer.main import get_command

    from latentcomp.cli import app

    known = {}
    waiting = [("", get_command(app))]
    while waiting:
        name, command = waiting.pop()
        options = {
            option for each in command.params for option in (*each.opts, *each.secondary_opts)
        }
        known[name] = options | {"-h", "--help"}
        for below, inner in getattr(command, "commands", {}).items():
            waiting.append((f"{name} {below}".strip(), inner))
    return known


def test_commands_that_are_named_exist_with_their_options():
    known = known_commands()
    seen = 0
    for page in USERS:
        text = re.sub(r"\\\n *", " ", (ROOT / page).read_text())
        for line in re.findall(r"(?:^|`|\$ |-- |srun )latentcomp ([^`\n]+)", text, re.MULTILINE):
            words = line.split("#")[0].split("|")[0].split("&&")[0].split()
            words = words[1:] if words[0] in ("--quiet", "--verbose") else words
            name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
            if words[0].startswith("-"):
                name = ""
            if name in MISTYPED:
                continue
            assert name in known, (page, line)
            options = {
                word.split("=")[0] for word in words if re.fullmatch(r"--?[a-z][\w-]*(=.*)?", word)
            }
            assert options <= known[name], (page, line, options - known[name])
            seen += 1
    assert seen > 30


def test_every_command_is_on_a_page():
    texts = " ".join((ROOT / page).read_text() for page in USERS)
    named = set(re.findall(r"latentcomp (?:--\w+ )?([a-z][a-z-]+)", texts))
    commands = {name for name in known_commands() if name and " " not in name}
    assert commands - named == set()
