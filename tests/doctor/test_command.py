"""`latentcomp doctor` as a user runs it: the table, the file, the exit code."""

import json
from typing import Any

import pytest

from latentcomp.commands.doctor import DoctorOptions
from latentcomp.common.errors import UsageError
from latentcomp.doctor import registry
from latentcomp.doctor.findings import Finding, Report
from latentcomp.doctor.names import LAB, LARGE, NAMES
from latentcomp.doctor.registry import CHECKS, examine
from latentcomp.doctor.settings import Settings

from ..extract.command_line import run_command


@pytest.fixture
def looked_at(monkeypatch):
    """Checks that are ok unless they are named here, and only write down that they were made."""
    statuses: dict[str, Any] = {}
    made = []

    def check(name):
        def find(settings):
            made.append(name)
            return Finding(status=statuses.get(name, "ok"), observed=f"as {name} is")

        return registry.Check(name, f"{name} holds", find)

    monkeypatch.setattr(registry, "CHECKS", tuple(map(check, NAMES)))
    return statuses, made


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"install": "unknown", "disk": "unknown"}, 0),
        ({"models": "failed", "disk": "unknown"}, 1),
        (dict.fromkeys(LAB, "failed"), 1),
        (dict.fromkeys(LARGE, "failed"), 0),
    ],
)
def test_the_exit_code(capsys, looked_at, changes, code):
    statuses, _ = looked_at
    statuses.update(changes)
    ran = run_command(capsys, "doctor")
    assert ran.code == code and ran.err == ""
    for name in LAB:
        assert f"as {name} is" in ran.out


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ([], ()),
        (["--large"], LARGE),
        (["--teacher-url", "http://127.0.0.1:1/v1"], ("server",)),
        (["--served-model", "x"], ("server",)),
        (["--tokenizers", "lab", "lab-student"], ("tokenizers",)),
        (["--card-gb", 96], ("memory",)),
        (["--architecture", "qwen3-30b-a3b"], ("memory",)),
        (["--no-checkpointing"], ("memory",)),
        (["--dtype", "float32", "--served-model", "x"], ("server", "memory")),
        (["--teacher", "lab", "--device", "cpu"], ()),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_a_large_run_is_looked_at_where_it_is_asked_for(capsys, looked_at, options, more):
    """A newcomer's installation was called broken for a card and a server that nobody named."""
    _, made = looked_at
    assert run_command(capsys, "doctor", *options).code == 0
    assert made == [*LAB, *more]


def test_options_reach_the_checks():
    made = DoctorOptions(card_gb=141.0, latents=64, teacher="x", tokenizers=("a", "b")).settings()
    assert (made.card_gb, made.latents, made.teacher) == (141.0, 64, "x")
    assert made.tokenizers == ("a", "b") and not made.sizes_given
    assert made.architecture == Settings().architecture and made.compressor is not None
    assert [path.name for path in made.shipped] == ["phase-4"]
    assert DoctorOptions(documents_at_once=4).settings().sizes_given


def test_this_installation_is_whole(capsys, tmp_path, monkeypatch):
    """The real checks: what a newcomer sees first."""
    monkeypatch.chdir(tmp_path)
    ran = run_command(capsys, "doctor", "--device", "cpu", "--json", "doctor.json")
    report = Report.model_validate_json((tmp_path / "doctor.json").read_bytes())
    assert ran.code == 0 and not report.failed, ran.out
    assert tuple(one.check for one in report.verdicts) == LAB


def test_the_file_says_the_same(capsys, server, tmp_path):
    file = tmp_path / "doctor.json"
    large = [word for name in LARGE for word in ("--check", name)]
    ran = run_command(
        capsys, "doctor", "--teacher-url", server.url, "--tokenizers", "lab", "lab-student",
        "--card-gb", 141, "--json", file, *large,
    )  # fmt: skip
    assert ran.code == 0, ran.out
    report = Report.model_validate_json(file.read_bytes())
    assert [(one.check, one.status) for one in report.verdicts] == [(name, "ok") for name in LARGE]
    assert all(one.assumption for one in report.verdicts)
    assert report.provenance.argv


def test_what_is_not_here_is_unknown(capsys, tmp_path):
    file = tmp_path / "doctor.json"
    ran = run_command(
        capsys, "doctor", "--teacher", "nobody/nowhere-7b", "--architecture", "nobody/nowhere-7b",
        "--check", "tokenizers", "--check", "memory", "--check", "forward",
        "--tokenizers", "nobody/a", "nobody/b", "--json", file,
    )  # fmt: skip
    assert ran.code == 0
    verdicts = json.loads(file.read_bytes())["verdicts"]
    assert [one["status"] for one in verdicts] == ["unknown"] * 3
    assert all("hf download" in one["next_step"] for one in verdicts)


def test_one_check_alone(capsys, server):
    ran = run_command(capsys, "doctor", "--check", "server", "--teacher-url", server.url)
    assert ran.code == 0 and "memory" not in ran.out
    server.close()
    ran = run_command(capsys, "doctor", "--check", "server", "--teacher-url", server.url)
    assert ran.code == 1 and "latentcomp teacher serve" in " ".join(ran.out.split())


def test_an_unknown_check(capsys):
    error = run_command(capsys, "doctor", "--check", "weather").error
    assert f"'weather' is unknown; give one of {', '.join(NAMES)}" in error


def test_an_unknown_check_is_a_usage_error():
    with pytest.raises(UsageError, match="'weather' is unknown"):
        examine(Settings(), ["memory", "weather"])


def test_a_corpus_that_is_missing_is_a_mistake_of_the_user(capsys):
    arguments = ["--tokenizers", "lab", "lab", "--corpus", "/nowhere.jsonl"]
    assert (
        "/nowhere.jsonl" in run_command(capsys, "doctor", "--check", "tokenizers", *arguments).error
    )


def test_the_registry_is_whole():
    assert tuple(check.name for check in CHECKS) == NAMES and len({*NAMES}) == 9
    assert examine(Settings(), ["memory"]).verdicts[0].check == "memory"
