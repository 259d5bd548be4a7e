"""Commands that messages suggest: the program understands them, and they do what is said."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from latentcomp import cli
from latentcomp.experiment import suggest
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.sizes import SIZES

from ..extract.command_line import run_command
from . import runs

HERE = RunFolder(Path("runs/lab"))
"""The default folder, which only ablations have to name; there is nothing in it here."""
COMMANDS = {
    "latentcomp ladder --through 3": suggest.ladder_command(HERE, 3),
    "latentcomp ablations --size laptop --run runs/lab": suggest.ablations_command(HERE),
    "latentcomp train --recipe phase-2 --seed 3": suggest.train_command(HERE, "phase-2", 3),
    "latentcomp evaluate --phase 2 --documents 9": suggest.evaluate_command(
        HERE, phase=2, documents=9
    ),
    "latentcomp evaluate --recipe phase-2 --documents 9 --seed 4": suggest.evaluate_command(
        HERE, recipe="phase-2", documents=9, seed=4
    ),
    "latentcomp judge --phase 7 --seed 5": suggest.judge_command(HERE, 7, 5),
}


def understood(command):
    """Options of a command line as the program reads it; nothing is run."""
    program, name, *words = shlex.split(command)
    assert program == "latentcomp"
    group = typer.main.get_command(cli.app)
    made = group.get_command(typer.Context(group), name)  # type: ignore[attr-defined]
    return made.make_context(name, words).params


@pytest.mark.parametrize("expected", COMMANDS)
def test_of_a_run_with_the_lab_teacher_nothing_else_is_named(monkeypatch, tmp_path, expected):
    monkeypatch.chdir(tmp_path)
    assert COMMANDS[expected] == expected
    understood(expected)


def test_another_folder_and_another_teacher_are_named(extracted):
    run = RunFolder(extracted)
    for command in (
        suggest.ladder_command(run, 3),
        suggest.ablations_command(run),
        suggest.evaluate_command(run, phase=1),
    ):
        options = understood(command)
        assert (options["run"], options["teacher"]) == (extracted, "FOLDER/tiny-32")
    options = understood(suggest.train_command(run, "phase-1"))
    assert (options["run"], options["reasoner"]) == (extracted, "FOLDER/tiny-32")
    assert options["teacher"] is None, "the store's"


@pytest.mark.parametrize(("size", "expected"), [("lab", "lab"), ("laptop", None)])
def test_a_training_is_suggested_at_the_size_of_the_others(tmp_path, size, expected):
    like = SIZES[size].of(phase(2).recipe)
    command = suggest.train_command(RunFolder(tmp_path), "phase-1", 1, like)
    assert understood(command)["size"] == expected


def test_who_read_a_run_without_a_store_is_known_by_its_trials(tmp_path):
    assert suggest.teacher_of_run(RunFolder(tmp_path)) is None
    runs.save_trial(RunFolder(tmp_path), phase(1).recipe)
    assert suggest.teacher_of_run(RunFolder(tmp_path)) == runs.MODEL


def test_what_a_training_says_next_can_be_typed(capsys, run, deep):
    """With another teacher than the lab's, which has to be named."""
    tiny = ["--steps", 1, "--batch-size", 1, "--question-tokens", 96, "--device", "cpu"]
    named = ["train", "--phase", 1, "--run", run, "--reasoner", deep]
    told = run_command(capsys, *named, *tiny)
    assert told.code == 0, told.err
    (command,) = re.findall("`(latentcomp .+?)`", told.out)
    words = shlex.split(command)[1:]
    done = run_command(capsys, *words, "--documents", 2, "--device", "cpu")
    assert done.code == 0, done.err
    assert "2 held-out documents" in done.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", 5, "--seconds", 60], "--steps 5 and --seconds 60 exclude each other"),
        (["--teacher", "lab"], "--teacher lab: the states come from .*/store.*give --live"),
        (["--live", "--workers", 2], "--workers 2: .*live documents have none"),
        (["--live", "--resident"], "--live and --resident exclude each other"),
        (["--batch-size", 2, "--documents", 3], "--documents is the old name of --batch-size"),
    ],
)
def test_options_that_would_be_ignored_are_refused(capsys, run, options, words):
    error = run_command(capsys, "train", "--phase", 1, "--run", run, *options).error
    assert re.search(words, error)
    assert not (run / "trials").exists()
