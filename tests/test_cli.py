"""Mistakes of the user and limits of the machine: one red line, exit code 2, nothing lost."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from latentcomp import cli
from latentcomp.common.errors import LatentcompError
from latentcomp.models import files as model_files

from .extract import tiny_models
from .extract.command_line import contents, run_command

PACKAGE = Path(__file__).resolve().parents[1] / ".dev"


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "tiny"
    return tiny_models.save(tiny_models.tiny_qwen3(4, hidden=16), folder)


def extraction(teacher, run, *more):
    options = ["extract", "--teacher", teacher, "--run", run, "--documents", 6]
    return [*options, "--layers", "-2", "--tokens-per-second", 1000, *more]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["extract", "--nosuch"], "No such option: --nosuch"),
        (["extract", "--seed", "x"], "'--seed'"),
        (["extract", "--seed", "-1"], "'--seed'"),
        (["extract", "--documents", "0"], "'--documents'"),
        (["extract", "--batch-tokens", "0"], "'--batch-tokens'"),
        (["extract", "--dtype", "int8"], "'--dtype'"),
        (["extract", "--layers"], "'--layers' requires an argument"),
        (["extract", "--layers", "abc"], "'abc' is no layer"),
        (["extract", "--layers", "6"], "'6' is no layer"),
        (["extract", "surplus"], "surplus"),
        (["extract", "--teacher", "./nowhere"], "'./nowhere' is no folder"),
        (["extract", "--device", "abacus"], "device 'abacus' cannot be used"),
        (["extract", "--corpus", "a.jsonl", "--seed", "1"], "--seed 1 is for generated documents"),
        (["corpus"], "Missing option '--out'"),
        (["corpus", "--out", "x", "--preset", "huge"], "preset 'huge'"),
        (["corpus", "--out", "x", "--split", "sideways"], "split 'sideways'"),
        (["store"], "Missing command"),
        (["store", "info", "--run", "/nowhere"], "/nowhere/store"),
        (["store", "verify", "--run", "/nowhere"], "/nowhere/store"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_command_lines(capsys, monkeypatch, tmp_path, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in run_command(capsys, *arguments).error
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_the_teacher_lacks(capsys, teacher, tmp_path):
    arguments = extraction(teacher, tmp_path / "run", "--layers", "-60")
    error = run_command(capsys, *arguments).error
    assert "layer -60 does not exist: the teacher has 4 blocks" in error
    assert not (tmp_path / "run").exists()


def test_truncated_weights(capsys, teacher, tmp_path):
    damaged = tiny_models.save(tiny_models.tiny_qwen3(4, hidden=16), tmp_path / "tiny")
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    error = run_command(capsys, *extraction(damaged, tmp_path / "run")).error
    assert f"{weights}" in error
    assert "truncated" in error
    assert not (tmp_path / "run").exists()


def test_the_lab_teacher_is_missing(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(model_files.LAB_FOLDERS, "lab", tmp_path / "absent")
    assert "make lab-models" in run_command(capsys, "extract", "--run", tmp_path / "run").error


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "no documents"), ("\n\n", "no documents"), ('{"document_id": "a"}', "line 1")],
)
def test_empty_or_bad_corpus_file(capsys, teacher, tmp_path, content, says):
    source = tmp_path / "mine.jsonl"
    source.write_text(content)
    options = ["extract", "--teacher", teacher, "--layers", "-2", "--run", tmp_path / "run"]
    error = run_command(capsys, *options, "--corpus", source).error
    assert str(source) in error
    assert says in error


def test_a_corpus_file_that_is_missing(capsys, teacher, tmp_path):
    options = ["extract", "--teacher", teacher, "--layers", "-2", "--run", tmp_path / "run"]
    assert "gone.jsonl" in run_command(capsys, *options, "--corpus", tmp_path / "gone.jsonl").error


def test_a_folder_that_cannot_be_written(capsys, teacher, tmp_path):
    (tmp_path / "file").write_text("in the way")
    error = run_command(capsys, *extraction(teacher, tmp_path / "file" / "run")).error
    assert str(tmp_path / "file") in error


def test_a_read_only_disk(capsys, teacher):
    """/proc takes no files from anybody, not even from root."""
    error = run_command(capsys, *extraction(teacher, "/proc/run")).error
    assert "/proc/run" in error


@pytest.fixture
def small_files():
    """No file may grow beyond this: what a full disk looks like to the program."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [1000, 60_000])
def test_a_full_disk_loses_nothing(capsys, teacher, tmp_path, small_files, size):
    """The disk fills while the corpus is written, then while the first shard is."""
    assert run_command(capsys, *extraction(teacher, tmp_path / "whole")).code == 0
    small_files(size)
    error = run_command(capsys, *extraction(teacher, tmp_path / "run")).error
    small_files(resource.RLIM_INFINITY)
    assert "the disk is full" in error
    assert run_command(capsys, *extraction(teacher, tmp_path / "run")).code == 0
    for part in ("corpus", "store"):
        assert contents(tmp_path / "run" / part) == contents(tmp_path / "whole" / part)


def test_a_disk_too_small_is_known_beforehand(capsys, monkeypatch, teacher, tmp_path):
    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    error = run_command(capsys, *extraction(teacher, tmp_path / "run")).error
    assert "the disk has 0.00 GB left" in error
    assert not (tmp_path / "run" / "store").exists()


def test_states_that_are_not_numbers(capsys, tmp_path):
    model = tiny_models.tiny_qwen3(4, hidden=16)
    model.model.layers[1].mlp.up_proj.weight.data[0, 0] = float("nan")
    broken = tiny_models.save(model, tmp_path / "tiny")
    error = run_command(capsys, *extraction(broken, tmp_path / "run")).error
    assert "the state after 3 blocks of its own forward is NaN or infinite" in error
    assert "check its weights" in error and not (tmp_path / "run" / "store").exists()


def test_corpus_and_store_commands(capsys, teacher, tmp_path):
    corpus = tmp_path / "run" / "corpus"
    options = ["corpus", "--documents", 6, "--seed", 3, "--out", corpus]
    assert f"{corpus}: 6 documents" in run_command(capsys, *options).out
    before = contents(corpus)
    assert run_command(capsys, *options).code == 0
    assert contents(corpus) == before
    other = run_command(capsys, "corpus", "--documents", 7, "--seed", 3, "--out", corpus)
    assert "holds another corpus" in other.error
    assert contents(corpus) == before
    assert run_command(capsys, *extraction(teacher, tmp_path / "run")).code == 0
    ran = run_command(capsys, "store", "verify", "--run", tmp_path / "run")
    assert "complete and sound: 6 documents" in ran.out
    ran = run_command(capsys, "store", "info", "--run", tmp_path / "run", "--json")
    assert json.loads(ran.out)["documents"] == 6
    assert "(complete" in run_command(capsys, "store", "info", "--run", tmp_path / "run").out
    shard = tmp_path / "run" / "store" / "states" / "c.0.0.0"
    shard.chmod(0o644)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    ran = run_command(capsys, "store", "verify", "--run", tmp_path / "run")
    assert "states/c.0.0.0" in ran.out
    assert "1 problems; run `latentcomp store repair --run " in ran.error


def command_that(monkeypatch, error):
    """Replace the program by one that fails so."""

    def program(**_):
        raise error

    monkeypatch.setattr(cli, "app", program)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (LatentcompError("a\nb  [red]c[/red]"), 2, "error: a b [red]c[/red]\n"),
        (OSError(28, "No space left on device", "/x"), 2, "error: /x: No space left on device\n"),
        (OSError("odd"), 2, "error: odd\n"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again to go on\n"),
        (LatentcompError("long " * 60), 2, f"error: {('long ' * 60).strip()}\n"),
    ],
    ids=["ours", "disk", "no errno", "ctrl-c", "long"],
)
def test_how_errors_leave_the_program(capsys, monkeypatch, error, code, line):
    command_that(monkeypatch, error)
    assert cli.run(["extract"]) == code
    assert capsys.readouterr().err == line


def test_a_defect_keeps_its_traceback(monkeypatch):
    command_that(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.run(["extract"])


def latentcomp(*arguments, **kwargs):
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "latentcomp", *arguments],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        timeout=120,
        **kwargs,
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["extract", "--help"]])
def test_help_is_quick(arguments):
    ran = latentcomp(*arguments)
    assert ran.returncode == 0
    assert "Usage: latentcomp" in ran.stdout
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"torch", "transformers", "numpy", "pyarrow", "zarr"}


def test_exit_code_of_the_process(tmp_path):
    """Of a command that imports no torch for it, as most of them do in seconds."""
    ran = latentcomp("corpus", "--out", str(tmp_path / "out"), "--preset", "huge")
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].startswith("error: unknown corpus preset 'huge'")


def test_output_cut_off_by_its_reader():
    """As in `latentcomp --help | true`."""
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, "-m", "latentcomp", "--help"],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    os.close(writer)
    assert "Traceback" not in ran.stderr
