"""The program on a terminal, a narrow one, in a pipe and in scripts."""

import re

import pytest

from latentcomp import __version__, cli
from latentcomp.common import terminal

from .extract.command_line import run_command

GROUPS = ["store", "teacher"]
_NAMED = [(one.name, one.callback) for one in cli.app.registered_commands]
COMMANDS = [
    *(name or each.__name__.replace("_", "-") for name, each in _NAMED if each),
    *GROUPS,
]


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    terminal.set_quiet(False)
    terminal.set_verbose(False)


def test_the_version(capsys):
    assert run_command(capsys, "--version").out == f"latentcomp {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [40])
def test_the_help_of_every_command_fits_any_terminal(capsys, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    ran = run_command(capsys, command, "-h")
    assert ran.code == 0 and f"latentcomp {command}" in " ".join(ran.out.split())
    assert "\x1b" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= columns


@pytest.mark.parametrize("command", ["extract", "train", "evaluate", "ask", "compress"])
def test_many_options_stand_under_headings(capsys, command):
    out = run_command(capsys, command, "-h").out
    assert len(re.findall(r"^╭─ ", out, re.MULTILINE)) >= 3
    assert "How it runs" in out or "How they are read" in out


def test_defaults_are_shown(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = " ".join(run_command(capsys, "extract", "-h").out.replace("│", " ").split())
    for default in ("runs/lab", "-6,-18,-30", "bfloat16", "raw", "24.0"):
        assert f"[default: {default}]" in out


def test_quiet_prints_nothing_but_errors(capsys, tmp_path):
    made = ["corpus", "--documents", 1, "--out", tmp_path / "c"]
    ran = run_command(capsys, "--quiet", *made)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / "c" / "corpus.json").is_file()
    assert (
        "holds another corpus"
        in run_command(capsys, "-q", *made[:1], "--documents", 2, *made[3:]).error
    )


def test_verbose_keeps_the_traceback_of_an_error(capsys, tmp_path):
    plain = run_command(capsys, "corpus", "--out", tmp_path, "--preset", "huge")
    assert "Traceback" not in plain.err
    loud = run_command(capsys, "--verbose", "corpus", "--out", tmp_path, "--preset", "huge")
    assert loud.code == 2 and "Traceback (most recent call last)" in loud.err
    assert loud.err.splitlines()[-1] == plain.err.splitlines()[-1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_commands(capsys, monkeypatch, shell):
    monkeypatch.setenv("_LATENTCOMP_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", "latentcomp ev")
    monkeypatch.setenv("COMP_CWORD", "1")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "latentcomp ev")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    with pytest.raises(SystemExit):
        cli.run([])
    assert "evaluate" in capsys.readouterr().out


def test_results_in_a_pipe_have_no_colours_and_no_wrapping(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    out = tmp_path / ("long" * 20)
    ran = run_command(capsys, "corpus", "--documents", 1, "--out", out)
    assert ran.out.count("\n") == 1 and "\x1b" not in ran.out
