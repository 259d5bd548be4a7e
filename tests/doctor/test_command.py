"""`latentcomp doctor` as a user runs it: the table, the file, the exit code."""

import json

import pytest

from latentcomp.common.errors import UsageError
from latentcomp.doctor import registry
from latentcomp.doctor.findings import Finding, Report
from latentcomp.doctor.registry import CHECKS, NAMES, examine
from latentcomp.doctor.settings import Settings

from ..extract.command_line import run_command


def with_findings(monkeypatch, *statuses):
    """The registry with checks that find what they are told."""

    def finds(status):
        return lambda settings: Finding(status=status, observed=status)

    pairs = zip(NAMES, statuses, strict=True)
    made = tuple(registry.Check(name, f"{name} holds", finds(status)) for name, status in pairs)
    monkeypatch.setattr(registry, "CHECKS", made)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (("ok", "ok", "ok", "ok"), 0),
        (("unknown", "ok", "unknown", "ok"), 0),
        (("ok", "failed", "ok", "unknown"), 1),
        (("failed", "failed", "failed", "failed"), 1),
    ],
)
def test_the_exit_code(capsys, monkeypatch, statuses, code):
    with_findings(monkeypatch, *statuses)
    ran = run_command(capsys, "doctor")
    assert ran.code == code and ran.err == ""
    for name in NAMES:
        assert name in ran.out


def test_the_file_says_the_same(capsys, server, tmp_path):
    file = tmp_path / "doctor.json"
    ran = run_command(
        capsys, "doctor", "--teacher-url", server.url, "--tokenizers", "lab", "lab-student",
        "--card-gb", 141, "--json", file,
    )  # fmt: skip
    assert ran.code == 0, ran.out
    report = Report.model_validate_json(file.read_bytes())
    assert [(one.check, one.status) for one in report.verdicts] == [(name, "ok") for name in NAMES]
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
    assert "'weather' is unknown; give one of server, tokenizers, memory, forward" in error


def test_an_unknown_check_is_a_usage_error():
    with pytest.raises(UsageError, match="'weather' is unknown"):
        examine(Settings(), ["memory", "weather"])


def test_a_corpus_that_is_missing_is_a_mistake_of_the_user(capsys):
    arguments = ["--tokenizers", "lab", "lab", "--corpus", "/nowhere.jsonl"]
    assert (
        "/nowhere.jsonl" in run_command(capsys, "doctor", "--check", "tokenizers", *arguments).error
    )


def test_the_registry_is_whole():
    assert len(set(NAMES)) == len(CHECKS) == 4
    assert examine(Settings(), ["memory"]).verdicts[0].check == "memory"
